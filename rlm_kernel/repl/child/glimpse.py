"""A look at any value that calls none of the model's code: no `__repr__` but those of plain data."""

from __future__ import annotations

from itertools import islice

from rlm_kernel.repl.describe import brief, type_name
from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

MAX_CHARS = 200
_PLAIN = (str, bytes, int, float, complex, bool, type(None), range)
_MARKS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}
_ITEMS = 3
_DEPTH = 2


def glimpse(value: Any, depth: int = _DEPTH, *, plain: bool = False) -> str:
    """The value as a short text: `Point(x=1, y=2)`, `[1, 2, 3, … 97 more]`; `<Point>` when only the plain is to show."""
    kind = type(value)
    if kind in _PLAIN:
        return brief(value, 60)
    if not depth:
        return "…"
    if kind is dict:
        parts = [
            f"{glimpse(key, 0)}: {glimpse(item, depth - 1, plain=plain)}"
            for key, item in _first(value.items())
        ]
        return _joined("{}", parts, len(value))
    if kind in _MARKS:
        return _joined(
            _MARKS[kind], [glimpse(item, depth - 1, plain=plain) for item in _first(value)], len(value)
        )
    return f"<{type_name(value)}>" if plain else _instance(value, depth)


def _instance(value: Any, depth: int) -> str:
    shape = (
        getattr(value, "shape", None)
        if type_name(value).startswith(("numpy.", "pandas.", "polars."))
        else None
    )
    if shape is not None:
        return f"{type_name(value)} of shape {brief(shape)}"
    try:
        held = object.__getattribute__(value, "__dict__")
    except Exception:  # noqa: BLE001 - a class may define `__dict__` to raise anything
        held = None
    if type(held) is not dict or not held:
        return ""
    own = [(name, item) for name, item in _first(held.items()) if type(name) is str]
    parts = [f"{cut(name, 40)}={glimpse(item, depth - 1)}" for name, item in own]
    return _joined(f"{type(value).__name__}()", parts, len(held))


def _first(items: Any) -> Any:
    return islice(items, _ITEMS)


def _joined(marks: str, parts: list[str], total: int) -> str:
    more = [f"… {total - len(parts):,} more"] if total > len(parts) else []
    return cut(f"{marks[:-1]}{', '.join(parts + more)}{marks[-1]}", MAX_CHARS)


__all__ = ["MAX_CHARS", "glimpse"]
