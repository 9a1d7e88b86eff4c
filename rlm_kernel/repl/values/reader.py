"""`Reader`: one variable rebuilt from its JSON and the bytes beside it. Whoever made them may lie.

Only constructors of plain types are called, on arguments of plain types, so no code can come in. What a value
costs is bounded by what was sent: bytes are taken in order and once, and what would be hashed is checked first.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sized
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rlm_kernel.repl.values.limits import MAX_DEPTH, MAX_DIGITS, MAX_NUMBER_BITS, ZONE_KEY
from rlm_kernel.repl.values.unrestored import Unrestored

Read = Callable[..., Any]
_CLASHES_EACH = 20
_CLASHES_FREE = 100_000
_HEX = re.compile("-?[0-9a-f]+").fullmatch
_FLOATS = frozenset(("nan", "inf", "-inf"))
_MAX_TEXT = 1000


class Missing(Exception):
    """A value that this Python cannot hold; the text says what it lacks."""


class Reader:
    """Reads one variable. `more` are the tags that this module does not know."""

    def __init__(self, data: memoryview, more: Mapping[str, Read]) -> None:
        self._data = data
        self._at = 0
        self._depth = 0
        self._keys = 0
        self._more = more

    def value(self, node: Any) -> Any:
        """The value of a node. Raises `ValueError`, `TypeError` and their like for one that makes no sense."""
        kind = type(node)
        if kind is int:
            return self._number(node)
        if kind is str or kind is float or kind is bool or node is None:
            return node
        if kind is not list or not node or type(node[0]) is not str:
            raise ValueError("a node is neither plain nor tagged")
        read = _TAGS.get(node[0]) or self._more.get(node[0])
        # A table is a few levels of its own: frame, index, level, array.
        if read is None or self._depth > MAX_DEPTH + 5:
            raise ValueError(f"unknown or too deep: {node[0][:40]!r}")
        self._depth += 1
        try:
            return read(self, *node[1:])
        finally:
            self._depth -= 1

    def values(self, nodes: Any) -> list[Any]:
        """The values of a list of nodes."""
        return [self.value(node) for node in listed(nodes)]

    def key(self, node: Any) -> Any:
        """A value that will be hashed; numbers in it are small."""
        self._keys += 1
        try:
            return self.value(node)
        finally:
            self._keys -= 1

    def take(self, size: Any) -> memoryview:
        """The next bytes beside the JSON; each is given once."""
        if type(size) is not int or not 0 <= size <= len(self._data) - self._at:
            raise ValueError("bytes that were not sent")
        self._at += size
        return self._data[self._at - size : self._at]

    def end(self) -> None:
        """Checks that nothing is left over."""
        if self._at != len(self._data):
            raise ValueError("bytes that nothing speaks of")

    def zone(self, node: Any) -> tzinfo | None:
        """A time zone, None for none. Raises `Missing` where its database is not installed."""
        if node is None:
            return None
        tag, *rest = listed(node)
        if tag == "offset":
            return timezone(timedelta(*map(whole, rest[:3])), *map(text, rest[3:]))
        if tag != "zone":
            raise ValueError("an unknown kind of time zone")
        (name,) = rest
        if not ZONE_KEY(text(name)):
            raise ValueError("a time zone whose name is none")
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError):
            raise Missing("its time zone is not known here; the package tzdata has them all") from None

    def _number(self, number: int) -> int:
        if self._keys and number.bit_length() > MAX_NUMBER_BITS:
            raise ValueError("a number too large to be hashed")
        return number

    def _int(self, digits: Any) -> int:
        if not _HEX(text(digits, None)):
            raise ValueError("a number that is none")
        return self._number(int(digits, 16))

    def _float(self, name: Any) -> float:
        # Made anew each time: two keys of a dict may both be nan, as long as they are two objects.
        if name not in _FLOATS:
            raise ValueError("a float that is none")
        return float(name)

    def _complex(self, real: Any, imaginary: Any) -> complex:
        return complex(number(self.value(real)), number(self.value(imaginary)))

    def _str(self, size: Any) -> str:
        return str(self.take(size), "utf-8", "surrogatepass")

    def _bytes(self, size: Any) -> bytes:
        return bytes(self.take(size))

    def _bytearray(self, size: Any) -> bytearray:
        return bytearray(self.take(size))

    def _tuple(self, nodes: Any) -> tuple[Any, ...]:
        return tuple(self.values(nodes))

    def _set(self, nodes: Any) -> set[Any]:
        members = [self.key(node) for node in listed(nodes)]
        check_hashes(members)
        made = set(members)
        check_unique(made, members)
        return made

    def _frozenset(self, nodes: Any) -> frozenset[Any]:
        return frozenset(self._set(nodes))

    def _dict(self, nodes: Any) -> dict[Any, Any]:
        flat = listed(nodes)
        if len(flat) % 2:
            raise ValueError("a key without a value")
        pairs = [(self.key(key), self.value(item)) for key, item in zip(flat[::2], flat[1::2], strict=True)]
        check_hashes([key for key, _ in pairs])
        made = dict(pairs)
        check_unique(made, pairs)
        return made

    def _counter(self, nodes: Any) -> Counter[Any]:
        return Counter(self._dict(nodes))

    def _ordered(self, nodes: Any) -> OrderedDict[Any, Any]:
        return OrderedDict(self._dict(nodes))

    def _deque(self, nodes: Any, most: Any) -> deque[Any]:
        items = self.values(nodes)
        if most is not None and whole(most) < len(items):
            raise ValueError("a deque over its own length")
        return deque(items, most)

    def _range(self, *parts: Any) -> range:
        start, stop, step = [self.key(part) for part in parts]
        return range(whole(start), whole(stop), whole(step))

    def _decimal(self, node: Any) -> Decimal:
        return Decimal(text(self.value(node), MAX_DIGITS))

    def _fraction(self, *parts: Any) -> Fraction:
        top, bottom = [whole(self.key(part)) for part in parts]
        return Fraction(top, bottom)

    def _date(self, *parts: Any) -> date:
        return date(*map(whole, parts))

    def _datetime(self, day: Any, clock: Any, fold: Any, zone: Any) -> datetime:
        year, month, date_ = map(whole, listed(day))
        hour, minute, second, micro = map(whole, listed(clock))
        return datetime(year, month, date_, hour, minute, second, micro, self.zone(zone), fold=whole(fold))

    def _time(self, clock: Any, fold: Any, zone: Any) -> time:
        hour, minute, second, micro = map(whole, listed(clock))
        return time(hour, minute, second, micro, self.zone(zone), fold=whole(fold))

    def _timedelta(self, *parts: Any) -> timedelta:
        days, seconds, micros = map(whole, parts)
        return timedelta(days, seconds, micros)

    def _unrestored(self, *parts: Any) -> Unrestored:
        kind, why, look = [text(part) for part in parts]
        if self._keys:
            raise ValueError("a key that was not given")
        return Unrestored(type=kind, why=why, preview=look)


def listed(node: Any) -> list[Any]:
    """The node, which must be a list."""
    if type(node) is not list:
        raise TypeError("a list is missing")
    return node


def whole(value: Any) -> int:
    """The value, which must be a whole number."""
    if type(value) is not int:
        raise TypeError("a whole number is missing")
    return value


def number(value: Any) -> float:
    """The value, which must be a float."""
    if type(value) is not float:
        raise TypeError("a float is missing")
    return value


def text(value: Any, most: int | None = _MAX_TEXT) -> str:
    """The value, which must be a text of at most so many characters."""
    if type(value) is not str or (most is not None and len(value) > most):
        raise TypeError("a text is missing, or too long")
    return value


def check_hashes(keys: list[Any]) -> None:
    """Raises `ValueError` for keys made to have the same hash: a dict of them takes the square of their number."""
    clashes = sum(count * count for count in Counter(map(hash, keys)).values())
    if clashes > _CLASHES_FREE + _CLASHES_EACH * len(keys):
        raise ValueError("too many keys of the same hash")


def check_unique(made: Sized, given: Sized) -> None:
    """Raises `ValueError` when some of the given keys were the same."""
    if len(made) != len(given):
        raise ValueError("the same key twice")


_TAGS: dict[str, Read] = {
    "bytearray": Reader._bytearray,
    "bytes": Reader._bytes,
    "complex": Reader._complex,
    "counter": Reader._counter,
    "date": Reader._date,
    "datetime": Reader._datetime,
    "decimal": Reader._decimal,
    "deque": Reader._deque,
    "dict": Reader._dict,
    "float": Reader._float,
    "fraction": Reader._fraction,
    "frozenset": Reader._frozenset,
    "int": Reader._int,
    "list": Reader.values,
    "ordered": Reader._ordered,
    "range": Reader._range,
    "set": Reader._set,
    "str": Reader._str,
    "time": Reader._time,
    "timedelta": Reader._timedelta,
    "tuple": Reader._tuple,
    "unrestored": Reader._unrestored,
}

__all__ = ["Missing", "Read", "Reader", "check_hashes", "check_unique", "listed", "text", "whole"]
