"""What a front end asks for, read from a message that may be anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from rlm_kernel.trace import Decision, Derived

_MAX_SEQS = 1000
_TEXTS = ("code", "reply", "hint", "prompt", "model")
_NUMBERS = ("block", "n")
_DECISIONS: dict[str, Decision] = {"run": "", "edit": "edited", "skip": "skipped"}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A run to be made from another: how, at which step, with what changed there."""

    kind: Derived
    at: str = ""
    edit: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a person wants done with a block that waits for them."""

    call: str
    turn: int
    block: int
    decision: Decision
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Op:
    """One thing asked for. `ask` is what the reply is sent back under (None: nobody waits for one); `error` says
    what is wrong with the message, for the front end to show."""

    name: str
    run: str = ""
    ask: int | str | None = None
    since: int = 0
    seqs: tuple[int, ...] = ()
    wish: Wish | None = None
    verdict: Verdict | None = None
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
    more = _MORE.get(str(name))
    return Op(name=str(name), run=data["run"], ask=ask, **(more[1](data) if more else {}))


def _wrong(data: dict[Any, Any]) -> str:
    name = data.get("op")
    if not isinstance(name, str) or name not in _NAMES:
        return f"this rlm_kernel does not know {str(name)[:40]!r}: update it (pip install -U rlm-kernel), restart the kernel"
    if not isinstance(data.get("run"), str):
        return f"{name} needs the id of a run under 'run'"
    more = _MORE.get(name)
    return more[0](data) if more else ""


def _wrong_watch(data: dict[Any, Any]) -> str:
    fits = _is_number(data.get("since"))
    return "" if fits else "watch needs under 'since' how many events are there already"


def _wrong_whole(data: dict[Any, Any]) -> str:
    seqs = data.get("seqs")
    fits = isinstance(seqs, list) and len(seqs) <= _MAX_SEQS and all(map(_is_number, seqs))
    return "" if fits else f"whole needs the numbers of at most {_MAX_SEQS} events under 'seqs'"


def _wrong_derive(data: dict[Any, Any]) -> str:
    if data.get("kind") not in get_args(Derived):
        return f"derive needs under 'kind' one of {', '.join(get_args(Derived))}"
    if not isinstance(data.get("at", ""), str):
        return "derive needs under 'at' the path of a step"
    edit = data.get("edit", {})
    if not isinstance(edit, dict):
        return "derive needs under 'edit' an object"
    bad = [str(name)[:40] for name, value in edit.items() if not _fits(name, value)]
    return f"derive cannot change {', '.join(bad[:3])} like that" if bad else ""


def _fits(name: object, value: object) -> bool:
    if name in _TEXTS:
        return isinstance(value, str)
    if name in _NUMBERS:
        return _is_number(value)
    if name == "temperature":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return name == "limits" and isinstance(value, Mapping) and all(map(_is_limit, value.values()))


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _wrong_decide(data: dict[Any, Any]) -> str:
    if not isinstance(data.get("call"), str) or not all(
        _is_number(data.get(name)) for name in ("turn", "block")
    ):
        return "decide needs a place: 'call', 'turn' and 'block'"
    if data.get("what") not in _DECISIONS:
        return f"decide needs under 'what' one of {', '.join(_DECISIONS)}"
    edited = data["what"] == "edit"
    return "decide needs the new 'code'" if edited and not isinstance(data.get("code"), str) else ""


def _wish(data: dict[Any, Any]) -> dict[str, Any]:
    return {"wish": Wish(kind=data["kind"], at=data.get("at", ""), edit=dict(data.get("edit", {})))}


def _verdict(data: dict[Any, Any]) -> dict[str, Any]:
    code = data["code"] if data["what"] == "edit" else None
    place = {name: data[name] for name in ("call", "turn", "block")}
    return {"verdict": Verdict(**place, decision=_DECISIONS[data["what"]], code=code)}


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


_Check = Callable[[dict[Any, Any]], str]
_Read = Callable[[dict[Any, Any]], dict[str, Any]]

# What an op has beside the run: what can be wrong with it, and how it is read.
_MORE: dict[str, tuple[_Check, _Read]] = {
    "watch": (_wrong_watch, lambda data: {"since": data["since"]}),
    "whole": (_wrong_whole, lambda data: {"seqs": tuple(data["seqs"])}),
    "derive": (_wrong_derive, _wish),
    "decide": (_wrong_decide, _verdict),
}
_NAMES = {*_MORE, "unwatch", "stop", "answer_now", "try_now", "bundle", "file"}

__all__ = ["Op", "Verdict", "Wish", "read_op"]
