"""Plain values: what is nothing but texts, numbers and containers of them. They go by `marshal`, piece by piece."""

from __future__ import annotations

import marshal
from itertools import chain, islice

from rlm_kernel.errors import ContextError

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Piece = bytes | memoryview

# Small enough that a copy of a piece, wide characters and all, is nothing beside the context.
_TEXT_PIECE = 2**19
_PIECE = 2**20
_MOST_ITEMS = 50_000
_HEAD = 5  # the bytes before the items of a list: its code and its length
# Version 2 has no back references, so equal values give equal bytes whatever objects they share.
_VERSION = 2
# marshal gives up beyond 2,000, and a walk of ours before that.
_MAX_DEPTH = 200
_BATCH = 1_000

_SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...)))
_CONTAINERS = frozenset((list, tuple, set, frozenset, dict))
_PLAIN = _SCALARS | _CONTAINERS


def is_plain(value: Any) -> bool:
    """Whether marshal gives the value back as it is. It would take arrays too, and give back bytes.
    Raises `ContextError` when the value is changed meanwhile."""
    kind = type(value)
    try:
        return kind in _SCALARS or (kind in _CONTAINERS and _all_plain([value], 0))
    except RuntimeError:
        raise _changed(value) from None


def _all_plain(containers: list[Any], depth: int) -> bool:
    kinds = set(map(type, _items(containers)))
    if kinds <= _SCALARS:
        return True
    if not kinds <= _PLAIN or depth >= _MAX_DEPTH:
        return False
    inner = (item for item in _items(containers) if type(item) in _CONTAINERS)
    while batch := list(islice(inner, _BATCH)):
        if not _all_plain(batch, depth + 1):
            return False
    return True


def _items(containers: Iterable[Any]) -> Iterator[Any]:
    return chain.from_iterable(map(_parts, containers))


def _parts(container: Any) -> Iterable[Any]:
    return chain(container, container.values()) if type(container) is dict else container


def text_pieces(text: str) -> Iterator[Piece]:
    """The UTF-8 of a text; a lone surrogate stays what it is."""
    for start in range(0, len(text), _TEXT_PIECE):
        yield text[start : start + _TEXT_PIECE].encode("utf-8", "surrogatepass")


def bytes_pieces(data: bytes) -> Iterator[Piece]:
    """The bytes, without a copy of them."""
    view = memoryview(data)
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


def marshal_pieces(value: Any) -> Iterator[Piece]:
    """What `marshal` makes of a plain value; of a set, in an order that its content alone decides. Raises
    `ContextError` when it is changed meanwhile."""
    kind = type(value)
    if kind is list or kind is tuple:
        return _sequence(value)
    if kind is dict:
        return _mapping(value)
    if kind is set or kind is frozenset:
        return _members(value)
    return iter([marshal.dumps(value, _VERSION)])


def _sequence(value: Any) -> Iterator[Piece]:
    length, at, step = len(value), 0, 100
    yield (b"[" if type(value) is list else b"(") + length.to_bytes(4, "little")
    while at < length:
        data = marshal.dumps(value[at : at + step], _VERSION)
        at += step
        step = _next_step(step, len(data))
        yield memoryview(data)[_HEAD:]
    if len(value) != length:
        raise _changed(value)


def _mapping(value: dict[Any, Any]) -> Iterator[Piece]:
    items, step = iter(value.items()), 100
    yield b"{"
    while some := dict(_some(value, items, step)):
        data = marshal.dumps(some, _VERSION)
        step = _next_step(step, len(data))
        yield memoryview(data)[1:-1]
    yield b"0"


def _some(value: Any, items: Iterator[tuple[Any, Any]], count: int) -> list[tuple[Any, Any]]:
    try:
        return list(islice(items, count))
    except RuntimeError:
        raise _changed(value) from None


def _members(value: Any) -> Iterator[Piece]:
    yield (b"<" if type(value) is set else b">") + len(value).to_bytes(4, "little")
    yield from sorted(marshal.dumps(item, _VERSION) for item in tuple(value))


def _next_step(step: int, size: int) -> int:
    return max(1, min(_MOST_ITEMS, step * _PIECE // size))


def _changed(value: Any) -> ContextError:
    kind = type(value).__name__
    return ContextError(
        f"the {kind} was changed by another thread while it was copied into the child namespace. "
        "Pass a copy that nothing changes any more.",
        type_name=kind,
    )


__all__ = ["bytes_pieces", "is_plain", "marshal_pieces", "text_pieces"]
