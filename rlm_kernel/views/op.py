"""What a front end asks for, read from a message that may be anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What each op needs beside the run.
_NEEDS = {
    "watch": "since",
    "unwatch": "",
    "whole": "seqs",
    "stop": "",
    "answer_now": "",
    "bundle": "",
    "file": "",
}
_MAX_SEQS = 1000


@dataclass(frozen=True, kw_only=True)
class Op:
    """One thing asked for. `ask` is what the reply is sent back under (None: nobody waits for one); `error` says
    what is wrong with the message, for the front end to show."""

    name: str
    run: str = ""
    ask: int | str | None = None
    since: int = 0
    seqs: tuple[int, ...] = ()
    error: str = ""


def read_op(data: object) -> Op | None:
    """The op in a message; None for a message that has none and does not ask for a reply."""
    if not isinstance(data, dict):
        return None
    name, ask = data.get("op"), data.get("ask")
    if not isinstance(ask, int | str) or isinstance(ask, bool):
        ask = None
    error = _wrong(data)
    if error:
        return None if ask is None else Op(name=str(name), ask=ask, error=error)
    # Only what the op needs was looked at, so nothing else is taken.
    need = _NEEDS[str(name)]
    return Op(
        name=str(name),
        run=data["run"],
        ask=ask,
        since=data["since"] if need == "since" else 0,
        seqs=tuple(data["seqs"]) if need == "seqs" else (),
    )


def _wrong(data: dict[Any, Any]) -> str:
    name = data.get("op")
    if not isinstance(name, str) or name not in _NEEDS:
        return f"this rlm_kernel does not know {str(name)[:40]!r}: update it (pip install -U rlm-kernel), restart the kernel"
    if not isinstance(data.get("run"), str):
        return f"{name} needs the id of a run under 'run'"
    need = _NEEDS[name]
    if need == "since" and not _is_number(data.get(need)):
        return "watch needs under 'since' how many events are there already"
    if need == "seqs" and not _are_numbers(data.get(need)):
        return f"whole needs the numbers of at most {_MAX_SEQS} events under 'seqs'"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_SEQS and all(map(_is_number, value))


__all__ = ["Op", "read_op"]
