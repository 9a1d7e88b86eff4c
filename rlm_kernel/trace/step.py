"""`Step`: a place in a run that a person can name: a call, or a turn of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from rlm_kernel.errors import UnknownStep
from rlm_kernel.trace.call import Call, Tree, Turn

_STEP = re.compile(r"0(?:\.[1-9][0-9]{0,8})*")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A call, or the turn of that number of it. Written as the path to it: `0.3` is turn 3 of the root, `0.3.2` the
    second sub-call of that turn."""

    call: Call
    turn: Turn | None = None

    def __str__(self) -> str:
        return self.call.id if self.turn is None else f"{self.call.id}.{self.turn.number}"


def find_step(tree: Tree, path: str) -> Step:
    """The step of that path. Raises `UnknownStep`, which names the near ones."""
    if _STEP.fullmatch(path):
        parts = path.split(".")
        if len(parts) % 2:
            if path in tree.calls:
                return Step(call=tree.calls[path])
        else:
            call = tree.calls.get(".".join(parts[:-1]))
            turns = [] if call is None or call.kind == "llm" else call.turns
            for turn in turns:
                if turn.number == int(parts[-1]):
                    return Step(call=tree.calls[".".join(parts[:-1])], turn=turn)
    raise UnknownStep(_unknown(tree, path), step=path)


def _unknown(tree: Tree, path: str) -> str:
    known = list(tree.calls)
    known += [
        f"{call.id}.{turn.number}"
        for call in tree.calls.values()
        if call.kind == "rlm"
        for turn in call.turns
    ]
    near = get_close_matches(path, known, n=3, cutoff=0.5) or known[:3]
    more = ", …" if len(known) > len(near) else ""
    return f"no call or turn {path!r} in this run; there are {', '.join(near)}{more}"


__all__ = ["Step", "find_step"]
