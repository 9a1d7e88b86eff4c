"""Events to plain dicts and back: the one description of how a trace looks as JSON.

Fields at their default are left out, so a file holds what happened and little else. Decoding checks every
field's type: a trace may come from a stranger. Unknown fields and unknown events are ignored, so that a file
written by a later version of the same format still opens.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from rlm_kernel.errors import TraceError
from rlm_kernel.trace.events import EVENT_NAMES, EVENT_TYPES, Event

Decoder = Callable[[Any], Any]
T = TypeVar("T")
_BARE = frozenset((str, int, float, bool))


def to_dict(event: Event) -> dict[str, Any]:
    """The event as JSON-able data, its kind under `type`."""
    return {"type": EVENT_NAMES[type(event)], **_fields(event)}


def from_dict(data: dict[str, Any]) -> Event | None:
    """The event, or None for a kind this version does not know. Raises `TraceError` for a wrong shape."""
    name = data.get("type")
    if not isinstance(name, str):
        raise TraceError("an event without a 'type'")
    kind: Any = EVENT_TYPES.get(name)
    if kind is None:
        return None
    event: Event = _decode_dataclass(kind)(data)
    return event


def decoded(kind: type[T], data: Any) -> T:
    """The value of that frozen type which the data describes. Raises `TraceError` for a wrong shape."""
    known: Any = kind
    value: T = _decode_dataclass(known)(data)
    return value


def _fields(value: Any) -> dict[str, Any]:
    # Three events are written for every sub-call: most of their fields are at their default, or need no more than a look.
    out = {}
    items, kind = value.__dict__, cast("Any", type(value))
    for name, default in _defaults(kind):
        item = items[name]
        if item is default:
            continue
        if type(item) in _BARE:
            if item != default:
                out[name] = item
        elif item != default:
            out[name] = _plain(item)
    return out


def _plain(item: Any) -> Any:
    if isinstance(item, str | int | float) or item is None:
        return item
    if isinstance(item, list | tuple):
        return [_plain(part) for part in item]
    if isinstance(item, dict):
        return {key: _plain(part) for key, part in item.items()}
    return _fields(item)


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    def default(field: dataclasses.Field[Any]) -> Any:
        made = field.default_factory
        return made() if made is not dataclasses.MISSING else field.default

    return tuple((field.name, default(field)) for field in dataclasses.fields(kind))


@cache
def _decode_dataclass(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    plan = [(field.name, _decoder(hints[field.name])) for field in dataclasses.fields(kind)]

    def decode(data: Any) -> Any:
        _expect(data, dict, kind.__name__)
        try:
            return kind(**{name: _read(name, read, data[name]) for name, read in plan if name in data})
        except TypeError as error:
            raise TraceError(f"{kind.__name__} lacks a field: {error}") from None

    return decode


def _read(name: str, read: Decoder, value: Any) -> Any:
    try:
        return read(value)
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None


def _decoder(hint: Any) -> Decoder:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = _decoder(next(part for part in parts if part is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _decoder(parts[0])
        return lambda value: tuple(item(part) for part in _expect(value, list, "a list"))
    if origin is dict:
        if parts[1] is Any:
            return lambda value: _expect(value, dict, "an object")
        item = _decoder(parts[1])
        return lambda value: {key: item(part) for key, part in _expect(value, dict, "an object").items()}
    if origin is Literal:
        return lambda value: _choice(value, parts)
    if dataclasses.is_dataclass(hint):
        kind: Any = hint
        nested: Decoder = _decode_dataclass(kind)
        return nested
    if hint is float:
        return _number
    if hint is int:
        return _integer
    return lambda value: _expect(value, hint, hint.__name__)


def _expect(value: Any, kind: Any, name: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TraceError(f"expected {name}, found {type(value).__name__}")
    return value


def _integer(value: Any) -> int:
    number: int = _expect(value, int, "int")
    if abs(number) >= 2**53:
        raise TraceError("expected int, found one that JSON readers round")
    return number


def _number(value: Any) -> float:
    number: float = _expect(value, (int, float), "a number")
    try:
        if math.isfinite(number):
            return float(number)
    except OverflowError:
        pass
    raise TraceError("expected a number, found one that is not finite")


def _choice(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise TraceError(f"expected one of {', '.join(map(str, allowed))}; found {str(value)[:40]!r}")
    return value


__all__ = ["decoded", "from_dict", "to_dict"]
