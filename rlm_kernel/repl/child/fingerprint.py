"""Whether a value was changed in place, told cheaply: from its first and last items, not from all of it.

It calls none of the model's code, and reads a few hundred items whatever the size, so that a block of a millisecond stays one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rlm_kernel.repl.describe import brief, type_name

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

_ITEMS = 100
_ROWS = 3


def fingerprint(value: Any, items: int = 300) -> int:
    """A number that differs when something is added, removed or replaced among the first so many items looked at."""
    marks: list[Any] = []
    waiting = [value]
    for item in waiting:  # it grows as it is read: the outermost come first
        marks.append(_mark(item))
        if len(waiting) < items:
            waiting += _inside(item)
        if len(marks) == items:
            break
    return hash(tuple(marks))


def _mark(item: Any) -> Any:
    kind = type(item)
    if kind in (list, dict, set, tuple, str, bytes):
        return kind, len(item), id(item)
    if kind is bytearray:
        return len(item), bytes(item[:_ITEMS]), bytes(item[-_ITEMS:])
    if type_name(item).startswith(("numpy.", "pandas.", "polars.")):
        return _table(item)
    return id(item)


def _inside(item: Any) -> Iterator[Any]:
    kind = type(item)
    if kind in (list, tuple):
        yield from item[:_ITEMS]
        yield from item[-_ITEMS:]
    elif kind is dict:
        for pair in (*islice(item.items(), _ITEMS), *islice(reversed(item.items()), _ITEMS)):
            yield from pair
    elif kind is set:
        yield from islice(item, _ITEMS)


def _table(item: Any) -> Any:
    """Shape, columns and the values at both ends."""
    try:
        if type_name(item) == "numpy.ndarray":
            return item.shape, str(item.dtype), item.flat[:_ITEMS].tobytes(), item.flat[-_ITEMS:].tobytes()
        rows = getattr(item, "iloc", item)
        cells = [*_cells(rows[:_ROWS]), *_cells(rows[-_ROWS:])]
        return item.shape, brief(list(getattr(item, "columns", ()))[:_ITEMS], 2000), tuple(cells)
    except Exception:  # noqa: BLE001 - other people's classes; what cannot be looked at is not looked at
        return id(item)


def _cells(rows: Any) -> Iterator[str]:
    for row in rows.to_numpy().tolist():
        yield from (brief(cell, 100) for cell in (row if type(row) is list else [row])[:_ITEMS])


__all__ = ["fingerprint"]
