"""Arrays and tables as nodes: numpy by dtype and bytes, pandas column by column.

Neither is imported here: such a value exists only when the model's code has imported them.
"""

from __future__ import annotations

import sys

from rlm_kernel.repl.child.packer import Packer, Refused
from rlm_kernel.repl.values.limits import MAX_EMPTY_ROWS, MAX_ITEM_BYTES

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PLAIN = "biufcmMUS"


def special(packer: Packer, value: Any) -> Any:
    """The node of one of numpy's scalars, or of pandas' missing values; None for anything else."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    kind = type(value)
    if pandas is not None and (value is pandas.NaT or value is pandas.NA):
        return ["nat" if value is pandas.NaT else "na"]
    if (
        numpy is None
        or not issubclass(kind, numpy.generic)
        or getattr(numpy, kind.__name__, None) is not kind
    ):
        return None
    # Texts go apart: an array would cut their trailing zeros.
    if kind is numpy.str_:
        return ["numpy_str", packer.node(str.__str__(value))]
    if kind is numpy.bytes_:
        return ["numpy_bytes", packer.node(bytes(value))]
    return ["numpy", _array(packer, numpy.asarray(value))]


def _array(packer: Packer, value: Any) -> Any:
    dtype, shape = value.dtype, list(value.shape)
    packer.spend(100 + 20 * len(shape))
    if dtype.kind == "O":
        return ["objects", shape, [packer.node(item) for item in value.flat]]
    if dtype.kind not in PLAIN or not 0 < dtype.itemsize <= MAX_ITEM_BYTES:
        raise Refused(f"an array of dtype {dtype}; as numbers, texts or objects it could be restored")
    packer.spend(0, ahead=value.nbytes)
    return ["array", dtype.str, shape, packer.blob(value.tobytes())]


def _column(packer: Packer, holder: Any) -> Any:
    """The values of a Series or an Index, whatever pandas keeps them in."""
    numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
    dtype, values = holder.dtype, holder.array
    if isinstance(dtype, numpy.dtype):
        return packer.node(numpy.asarray(holder))
    if isinstance(dtype, pandas.StringDtype):
        texts = [item if type(item) is str else None for item in values.astype(object)]
        return ["strings", str(dtype), packer.node(texts)]
    if isinstance(dtype, pandas.CategoricalDtype):
        codes = packer.node(numpy.asarray(values.codes))
        return ["categories", codes, packer.node(dtype.categories), bool(dtype.ordered)]
    if isinstance(dtype, pandas.DatetimeTZDtype):
        in_utc = numpy.asarray(values.tz_convert("UTC").tz_localize(None))
        return ["zoned", packer.node(in_utc), packer.zone(dtype.tz)]
    plain = getattr(dtype, "numpy_dtype", None)
    if str(dtype) in _MASKED and plain is not None:
        data = values.to_numpy(dtype=plain, na_value=plain.type(0))
        return ["masked", str(dtype), packer.node(data), packer.node(numpy.asarray(values.isna()))]
    raise Refused(f"a column of dtype {dtype}; with another dtype it could be restored")


_MASKED = frozenset(
    ["boolean", "Float32", "Float64"]
    + [f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)]
)


def _index(packer: Packer, value: Any) -> Any:
    freq = getattr(value, "freqstr", None)
    return ["index", _column(packer, value), packer.key(value.name), packer.node(freq)]


def _range_index(packer: Packer, value: Any) -> Any:
    packer.spend(80)
    return ["range_index", value.start, value.stop, value.step, packer.key(value.name)]


def _multi_index(packer: Packer, value: Any) -> Any:
    numpy = sys.modules["numpy"]
    levels = [packer.node(level) for level in value.levels]
    codes = [packer.node(numpy.asarray(codes)) for codes in value.codes]
    return ["multi_index", levels, codes, [packer.key(name) for name in value.names]]


def _series(packer: Packer, value: Any) -> Any:
    return ["series", _column(packer, value), _whole(packer, value.index), packer.key(value.name)]


def _frame(packer: Packer, value: Any) -> Any:
    if not value.shape[1] and value.shape[0] > MAX_EMPTY_ROWS:
        raise Refused("a table without columns, of very many rows")
    labels, index = _whole(packer, value.columns), _whole(packer, value.index)
    return [
        "frame",
        labels,
        index,
        [_column(packer, value.iloc[:, at]) for at in range(value.shape[1])],
    ]


def _whole(packer: Packer, index: Any) -> Any:
    # A table without its index would be another table, so it is refused with it.
    return packer.key(index)


def _timestamp(packer: Packer, value: Any) -> Any:
    asked = packer.node(sys.modules["numpy"].asarray(value.asm8))
    return ["timestamp", asked, None if value.tzinfo is None else packer.zone(value.tzinfo)]


def _duration(packer: Packer, value: Any) -> Any:
    return ["duration", packer.node(sys.modules["numpy"].asarray(value.asm8))]


TABLES: dict[str, Callable[[Packer, Any], Any]] = {
    "numpy.ndarray": _array,
    "pandas.CategoricalIndex": _index,
    "pandas.DataFrame": _frame,
    "pandas.DatetimeIndex": _index,
    "pandas.Index": _index,
    "pandas.MultiIndex": _multi_index,
    "pandas.RangeIndex": _range_index,
    "pandas.Series": _series,
    "pandas.Timedelta": _duration,
    "pandas.TimedeltaIndex": _index,
    "pandas.Timestamp": _timestamp,
}

__all__ = ["PLAIN", "TABLES", "special"]
