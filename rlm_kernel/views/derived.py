"""What a run that was made from another says of it: where it comes from, what is not as in the record, what a person
decided and what waits for one."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from rlm_kernel.trace import Block, Call, Derived, Divergence, ModelReplied, Origin, Trace, Turn
from rlm_kernel.views.sources import replies_of
from rlm_kernel.views.summary import MISSING, count, line

DIFFERS = "≠"
"""The sign of a step that is not what the record has."""
HELD = "❚❚"
"""The sign of a block that waits for a person."""
DECISIONS = {"": "", "edited": "a person edited the code", "skipped": "a person skipped it"}
"""What a person did with a block that was put before them."""
WRITTEN = "a person wrote this reply"
"""What is said of a reply that a person put in the place of the model's."""
EDITS = (
    "code",
    "block",
    "reply",
    "hint",
    "prompt",
    "model",
    "temperature",
    "max_output_tokens",
    "n",
    "limits",
)
"""What can be changed in a run that is made from another."""

_MOST = 8


def origin_line(origin: Origin) -> str:
    """How the run was made: `Fork of papers-1 at 0.3: hint “look again”`."""
    edits = [_edit(name, value) for name, value in list(origin.edit.items())[:_MOST]]
    more = [f"{len(origin.edit) - _MOST:,} more"] if len(origin.edit) > _MOST else []
    run = line(origin.run, 80) or "another run"
    return made_words(origin.kind, run, line(origin.at, 80), ", ".join([*edits, *more]))


def made_words(kind: Derived, run: str, at: str, edits: str) -> str:
    """The same of its parts, however they are written."""
    made = {
        "replay": f"Replay of {run}",
        "fork": f"Fork of {run}{f' at {at}' if at else ''}",
        "rerun": f"Rerun of {f'{at} of ' if at else ''}{run}",
        "resume": f"Resumed from {run}",
    }[kind]
    return f"{made}: {edits}" if edits else made


def _edit(name: str, value: Any) -> str:
    if isinstance(value, dict):
        parts = [f"{line(key, 40)} {_value(part)}" for key, part in list(value.items())[:_MOST]]
        return " ".join([line(name, 40), *parts])
    return f"{line(name, 40)} {_value(value)}"


def _value(value: Any) -> str:
    return f"“{line(value, 60)}”" if isinstance(value, str) else line(repr(value), 60)


def derived_facts(trace: Trace) -> list[str]:
    """What stands in the head of a run: how it was made, how many replies were replayed, how many steps differ."""
    origin, replies, differ = trace.started and trace.started.origin, replies_of(trace), differing(trace)
    return [
        *([origin_line(origin)] if origin else []),
        *([str(replies)] if replies else []),
        *([differ_words(differ)] if differ else []),
    ]


def differ_words(number: int) -> str:
    """`2 steps differ from the record`."""
    return f"{count(number, 'step')} differ{'s' if number == 1 else ''} from the record"


def differing(trace: Trace) -> int:
    """How many turns and calls, done again, were not what the record has."""
    return sum(
        sum(bool(divergences(turn)) for turn in call.turns)
        + (call.error is not None and call.error.type == MISSING)
        for call in trace.walk()
    )


def divergences(turn: Turn) -> list[Divergence]:
    """Those of all its blocks."""
    return [found for block in turn.blocks if block.executed for found in block.executed.divergences]


def divergence_line(divergence: Divergence, limit: int = 50) -> str:
    """`≠ output: recorded “3”, found “4”`: the first lines that are not the same."""
    recorded, found = divergence.recorded.splitlines(), divergence.found.splitlines()
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(recorded, found, strict=False)))
    before, now = ("\n".join(lines[same:]) for lines in (recorded, found))
    return f"{DIFFERS} {line(divergence.what, 40)}: recorded {_quoted(before, limit)}, found {_quoted(now, limit)}"


def _quoted(text: str, limit: int) -> str:
    return f"“{line(text, limit)}”" if text.strip() else "nothing"


def decided(block: Block) -> str:
    """What a person did with the block; empty where nobody was asked."""
    return DECISIONS[block.executed.decision] if block.executed else ""


def is_written(reply: ModelReplied, trace: Trace) -> bool:
    """Whether a person wrote this reply in the place of the run's model."""
    return reply.mode == "human" and not (trace.started and trace.started.mode == "human")


def is_waiting(block: Block, call: Call) -> bool:
    """Whether the block is before a person now."""
    return block.held is not None and block.executed is None and call.status == "running"


def waiting(trace: Trace) -> int:
    """How many blocks wait for a person."""
    return sum(
        is_waiting(block, call) for call in trace.walk() for turn in call.turns for block in turn.blocks
    )


def last_words(turn: Turn) -> str:
    """Why the turn was the call's one last; empty for any other."""
    return line(turn.asks[-1].last, 100) if turn.asks else ""


__all__ = [
    "DECISIONS",
    "DIFFERS",
    "EDITS",
    "HELD",
    "WRITTEN",
    "decided",
    "derived_facts",
    "differ_words",
    "differing",
    "divergence_line",
    "divergences",
    "is_waiting",
    "is_written",
    "last_words",
    "made_words",
    "origin_line",
    "waiting",
]
