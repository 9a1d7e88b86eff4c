"""The variables of the child namespace on their way to a person: tagged JSON, and bytes beside it.

Plain data goes exactly as it is. What cannot go is told instead (`unrestored`), in its place. No code of the
model's is called: a value counts as a list only when its type is `list`, so its own `__iter__` has no say. The
other end is `rlm_kernel.repl.values`, which trusts nothing of this.
"""

from __future__ import annotations

import heapq
import math
import sys
import types

from rlm_kernel.repl.child.packer import Packer, Refused
from rlm_kernel.repl.child.tables import TABLES, special
from rlm_kernel.repl.describe import type_name
from rlm_kernel.repl.values.limits import MAX_VARIABLES

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_INLINE = 200
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def pack_values(variables: dict[str, Any], budget_bytes: int) -> tuple[dict[str, Any], bytes]:
    """The variables as a table of names and sizes, and the bytes it speaks of.

    The budget is spent on the smallest first; what is over it, or cannot go at all, is only described.
    """
    held: list[tuple[int, int]] = []  # the largest first
    packed: dict[str, tuple[bytes, bytes]] = {}
    names = [name for name in variables if type(name) is str][:MAX_VARIABLES]
    spent = 0
    for number, name in enumerate(names):
        packer = Packer(budget_bytes, _node)
        packed[name] = packer.variable(variables[name])
        heapq.heappush(held, (-packer.spent, number))
        spent += packer.spent
        while spent > budget_bytes and held:
            size, largest = heapq.heappop(held)
            spent += size
            why = f"it takes {-size / 1e6:,.1f} MB, more than is left of {budget_bytes / 1e6:,.0f} MB; ask for it alone"
            packed[names[largest]] = packer.described(variables[names[largest]], why)
    table = [[name, len(text), len(data)] for name, (text, data) in packed.items()]
    return {"variables": table}, b"".join(part for pair in packed.values() for part in pair)


def _node(packer: Packer, value: Any) -> Any:
    kind = type(value)
    pack = _KINDS.get(kind) or _imported(kind)
    if pack is not None:
        return pack(packer, value)
    node = special(packer, value)
    if node is not None:
        return node
    raise Refused(_why_not(value))


def _imported(kind: type) -> Callable[[Packer, Any], Any] | None:
    # The type is looked up by name, because a worker must not import what the model's code did not.
    name = _name_of(kind)
    pack = _OTHERS.get(name)
    top, _, attribute = name.partition(".")
    return pack if pack is not None and getattr(sys.modules.get(top), attribute, None) is kind else None


def _name_of(kind: type) -> str:
    """`collections.deque`, `pandas.DataFrame`: the package and the name."""
    return f"{str(kind.__module__).partition('.')[0]}.{kind.__qualname__}"


def _why_not(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return "a module; import it"
    if isinstance(value, _FUNCTIONS):
        return "a function, which exists only in the child namespace; run its code in a cell"
    if isinstance(value, type):
        return "a class, which exists only in the child namespace; run its code in a cell, or import it"
    if isinstance(value, types.GeneratorType | types.CoroutineType | types.AsyncGeneratorType):
        return "it is still to be run; a list of what it gives could be restored"
    if hasattr(type(value), "fileno") and hasattr(type(value), "read"):
        return "an open file; its text, read in the block, could be restored"
    name = type_name(value)
    where = "whose class exists only in the child namespace" if "." not in name else "which is not plain data"
    return f"an instance of {name}, {where}; a dict or list of what it holds could be restored"


def _none(packer: Packer, value: None) -> Any:
    packer.spend(8)
    return value


def _int(packer: Packer, value: int) -> Any:
    packer.spend(12 + value.bit_length() // 4)
    packer.check_number(value)
    return value if -(2**53) < value < 2**53 else ["int", f"{value:x}"]


def _float(packer: Packer, value: float) -> Any:
    packer.spend(32)
    return value if math.isfinite(value) else ["float", repr(value)]


def _complex(packer: Packer, value: complex) -> Any:
    return ["complex", _float(packer, value.real), _float(packer, value.imag)]


def _str(packer: Packer, value: str) -> Any:
    # Two lone surrogates in a row would come out of JSON as one character, so only ASCII goes there.
    if len(value) <= MAX_INLINE and value.isascii():
        packer.spend(8 + 2 * len(value) if value.isprintable() else 8 + 6 * len(value))
        return value
    packer.spend(0, ahead=len(value))
    return ["str", packer.blob(value.encode("utf-8", "surrogatepass"))]


def _bytes(packer: Packer, value: bytes | bytearray) -> Any:
    packer.spend(0, ahead=len(value))
    return [type(value).__name__, packer.blob(bytes(value))]


def _items(packer: Packer, value: Any) -> Any:
    return [type(value).__name__, [packer.node(item) for item in value]]


def _members(packer: Packer, value: Any) -> Any:
    return [type(value).__name__, [packer.key(item) for item in value]]


def _pairs(name: str) -> Callable[[Packer, Any], Any]:
    def pack(packer: Packer, value: Any) -> Any:
        flat = []
        for key, item in value.items():
            flat += [packer.key(key), packer.node(item)]
        return [name, flat]

    return pack


def _range(packer: Packer, value: range) -> Any:
    return ["range", *[packer.key(part) for part in (value.start, value.stop, value.step)]]


def _deque(packer: Packer, value: Any) -> Any:
    return ["deque", [packer.node(item) for item in value], packer.node(value.maxlen)]


def _decimal(packer: Packer, value: Any) -> Any:
    text = str(value)
    packer.check_digits(len(text))
    return ["decimal", packer.node(text)]


def _fraction(packer: Packer, value: Any) -> Any:
    return ["fraction", packer.key(value.numerator), packer.key(value.denominator)]


def _date(packer: Packer, value: Any) -> Any:
    packer.spend(40)
    return ["date", value.year, value.month, value.day]


def _datetime(packer: Packer, value: Any) -> Any:
    packer.spend(80)
    day = [value.year, value.month, value.day]
    return [
        "datetime",
        day,
        [value.hour, value.minute, value.second, value.microsecond],
        *_where(packer, value),
    ]


def _time(packer: Packer, value: Any) -> Any:
    packer.spend(80)
    return ["time", [value.hour, value.minute, value.second, value.microsecond], *_where(packer, value)]


def _where(packer: Packer, value: Any) -> list[Any]:
    zone = value.tzinfo
    return [value.fold, None if zone is None else packer.zone(zone)]


def _timedelta(packer: Packer, value: Any) -> Any:
    packer.spend(60)
    return ["timedelta", value.days, value.seconds, value.microseconds]


_KINDS: dict[type, Callable[[Packer, Any], Any]] = {
    type(None): _none,
    bool: _none,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    list: _items,
    tuple: _items,
    set: _members,
    frozenset: _members,
    dict: _pairs("dict"),
    range: _range,
}
_OTHERS: dict[str, Callable[[Packer, Any], Any]] = {
    "collections.Counter": _pairs("counter"),
    "collections.OrderedDict": _pairs("ordered"),
    "collections.defaultdict": _pairs("dict"),
    "collections.deque": _deque,
    "datetime.date": _date,
    "datetime.datetime": _datetime,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
    **TABLES,
}

__all__ = ["MAX_INLINE", "pack_values"]
