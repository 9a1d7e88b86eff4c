"""The variables of a child namespace in the hands of a person: rebuilt as objects from what the worker sent.

Nothing is unpickled and nothing is believed. A worker can send the wrong data, which is an error, but not code.
The other end is `rlm_kernel.repl.child.values`.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from rlm_kernel.errors import ProtocolError
from rlm_kernel.repl.values.limits import BUDGET_BYTES, MAX_LISTS, MAX_VARIABLES
from rlm_kernel.repl.values.reader import Missing, Reader
from rlm_kernel.repl.values.tables import TABLES
from rlm_kernel.repl.values.unrestored import Unrestored

_MAX_TOLD = 5000  # bytes for telling of one variable that could not be given


def unpack_values(data: dict[str, Any], blob: bytes) -> dict[str, Any]:
    """The variables by name, in the order of the namespace; an `Unrestored` for each that is not plain data.

    Takes the time and memory that tens of megabytes of JSON take, whatever it is given. Raises `ProtocolError`
    for anything that `pack_values` does not make.
    """
    if len(blob) > 2 * BUDGET_BYTES + MAX_VARIABLES * _MAX_TOLD:
        raise ProtocolError(f"the variables take {len(blob):,} bytes, which is over the cap")
    found: dict[str, Any] = {}
    at = 0
    for name, text_size, data_size in _table(data):
        middle = at + text_size
        end = middle + data_size
        if end > len(blob) or name in found:
            raise ProtocolError("the variables and their sizes do not fit")
        found[name] = _variable(blob[at:middle], memoryview(blob)[middle:end])
        at = end
    if at != len(blob):
        raise ProtocolError("more bytes came than the variables have")
    return found


def _table(data: dict[str, Any]) -> list[tuple[str, int, int]]:
    rows = data.get("variables")
    if not isinstance(rows, list) or len(rows) > MAX_VARIABLES:
        raise ProtocolError("the variables do not come as a table")
    for row in rows:
        sound = isinstance(row, list) and len(row) == 3 and type(row[0]) is str
        if not sound or any(type(size) is not int or size < 0 for size in row[1:]):
            raise ProtocolError("a variable without a name and two sizes")
    return [(row[0], row[1], row[2]) for row in rows]


def _variable(text: bytes, data: memoryview) -> Any:
    if text.count(b"[") > MAX_LISTS:
        raise ProtocolError("a variable has more parts than may pass")
    try:
        reader = Reader(data, TABLES)
        value = reader.value(_decode(text.decode("ascii")))
        reader.end()
    except Missing as missing:
        return Unrestored(type="object", why=str(missing))
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        raise ProtocolError(f"a variable that makes no sense: {type(error).__name__}: {error}") from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _whole_number(digits: str) -> int:
    # JSON has only small ones here: reading a long one takes the square of its length.
    if len(digits) > 20:
        raise ValueError("a whole number of more than 20 digits")
    return int(digits)


_decode = json.JSONDecoder(parse_constant=_no_constant, parse_int=_whole_number).decode

__all__ = ["Unrestored", "unpack_values"]
