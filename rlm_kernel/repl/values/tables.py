"""Arrays and tables rebuilt from what a worker sent: numpy by dtype and bytes, pandas column by column.

Both are imported when such a value comes, and not before. Shapes, sizes and contents are checked before anything
is made of them; where pandas will not have what passed the checks, that variable is told instead of given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from rlm_kernel.repl.values.limits import MAX_EMPTY_ROWS, MAX_ITEM_BYTES
from rlm_kernel.repl.values.reader import Missing, Read, Reader, check_hashes, listed, text, whole

_DTYPE = re.compile(
    r"(\|b1|[<>|=][iufc]\d{1,2}|[<>|][US]\d{1,8}|[<>]([mM])8(\[\d{0,6}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?)"
)
_MASKED = re.compile(r"boolean|Float(32|64)|U?Int(8|16|32|64)")
_MAX_DIMENSIONS = 32
_MAX_CHARACTER = 0x10FFFF


def _array(reader: Reader, dtype: Any, shape: Any, size: Any) -> Any:
    numpy = _numpy()
    if not _DTYPE.fullmatch(text(dtype)):
        raise ValueError("an array of a dtype that is not plain")
    kind = numpy.dtype(dtype)
    data = reader.take(size)
    if not 0 < kind.itemsize <= MAX_ITEM_BYTES or _cells(shape) * kind.itemsize != len(data):
        raise ValueError("an array whose bytes do not fit its shape")
    if not len(data):
        return numpy.empty(shape, kind)
    flat = numpy.frombuffer(data, kind)
    _check_contents(numpy, kind, flat)
    return flat.reshape(shape).copy()


def _check_contents(numpy: Any, kind: Any, flat: Any) -> None:
    # These have bit patterns that are no values, and numpy takes them as they are.
    if kind.kind == "b" and flat.view(numpy.uint8).max() > 1:
        raise ValueError("a truth value that is neither")
    if kind.kind == "U" and flat.view(numpy.dtype(f"{kind.str[0]}u4")).max() > _MAX_CHARACTER:
        raise ValueError("a character that is none")


def _cells(shape: Any) -> int:
    sizes = [whole(size) for size in listed(shape)]
    if len(sizes) > _MAX_DIMENSIONS or any(not 0 <= size < 2**48 for size in sizes):
        raise ValueError("an array of an impossible shape")
    return math.prod(sizes)


def _objects(reader: Reader, shape: Any, nodes: Any) -> Any:
    cells, nodes = _cells(shape), listed(nodes)
    if cells != len(nodes):
        raise ValueError("an array whose items do not fit its shape")
    array = _numpy().empty(cells, object)
    for at, node in enumerate(nodes):
        array[at] = reader.value(node)
    return array.reshape(shape)


def _scalar(reader: Reader, node: Any) -> Any:
    array = _plain_array(reader, node, dimensions=0)
    return array[()]


def _numpy_str(reader: Reader, node: Any) -> Any:
    return _numpy().str_(text(reader.value(node), None))


def _numpy_bytes(reader: Reader, node: Any) -> Any:
    value = reader.value(node)
    if type(value) is not bytes:
        raise TypeError("bytes are missing")
    return _numpy().bytes_(value)


def _strings(reader: Reader, dtype: Any, node: Any) -> Any:
    texts = _typed(reader.value(node), list)
    if dtype not in ("str", "string") or any(item is not None and type(item) is not str for item in texts):
        raise ValueError("a column of texts that are none")
    return _built(lambda: _pandas().array(texts, dtype=dtype))


def _categories(reader: Reader, codes: Any, node: Any, ordered: Any) -> Any:
    numbers = _plain_array(reader, codes, kinds="i")
    categories = _index_of(reader, node)
    return _built(lambda: _pandas().Categorical.from_codes(numbers, categories, ordered=ordered is True))


def _zoned(reader: Reader, node: Any, zone: Any) -> Any:
    moments, place = _plain_array(reader, node, kinds="M"), reader.zone(zone)
    return _built(lambda: _pandas().DatetimeIndex(moments).tz_localize("UTC").tz_convert(place).array)


def _masked(reader: Reader, dtype: Any, data: Any, mask: Any) -> Any:
    numbers, missing = _plain_array(reader, data, kinds="biuf"), _plain_array(reader, mask, kinds="b")
    if not _MASKED.fullmatch(text(dtype)) or len(numbers) != len(missing):
        raise ValueError("a column whose missing values do not fit")

    def build() -> Any:
        column = _pandas().array(numbers, dtype=dtype)
        column[missing] = _pandas().NA
        return column

    return _built(build)


def _index(reader: Reader, node: Any, name: Any, freq: Any) -> Any:
    column, label = _column(reader, node), reader.key(name)
    if freq is not None:
        text(freq, 40)
    if _is_objects(column):
        check_hashes(list(column))
    pandas = _pandas()

    def build() -> Any:
        index = pandas.Index(column, dtype=column.dtype, name=label)
        if freq is not None:
            index.freq = freq
        return index

    return _built(build)


def _range_index(reader: Reader, start: Any, stop: Any, step: Any, name: Any) -> Any:
    parts = whole(start), whole(stop), whole(step)
    label = reader.key(name)
    return _built(lambda: _pandas().RangeIndex(*parts, name=label))


def _multi_index(reader: Reader, levels: Any, codes: Any, names: Any) -> Any:
    values = [_index_of(reader, node) for node in listed(levels)]
    places = [_plain_array(reader, node, kinds="i") for node in listed(codes)]
    labels = [reader.key(node) for node in listed(names)]
    return _built(lambda: _pandas().MultiIndex(values, places, names=labels))


def _series(reader: Reader, node: Any, index: Any, name: Any) -> Any:
    column, rows, label = _column(reader, node), _index_of(reader, index), reader.key(name)
    if len(column) != len(rows):
        raise ValueError("a series whose index does not fit")
    return _built(lambda: _pandas().Series(column, index=rows, dtype=column.dtype, name=label))


def _frame(reader: Reader, labels: Any, index: Any, nodes: Any) -> Any:
    columns, rows = _index_of(reader, labels), _index_of(reader, index)
    data = [_column(reader, node) for node in listed(nodes)]
    if len(data) != len(columns) or any(len(column) != len(rows) for column in data):
        raise ValueError("a table whose columns do not fit")
    if not data and len(rows) > MAX_EMPTY_ROWS:
        raise ValueError("a table of nothing but rows")
    pandas = _pandas()

    def build() -> Any:
        cells = {at: pandas.Series(column, index=rows, dtype=column.dtype) for at, column in enumerate(data)}
        frame = pandas.DataFrame(cells, index=rows)
        frame.columns = columns
        return frame

    return _built(build)


def _timestamp(reader: Reader, node: Any, zone: Any) -> Any:
    moment, place = _plain_array(reader, node, kinds="M", dimensions=0)[()], reader.zone(zone)

    def build() -> Any:
        stamp = _pandas().Timestamp(moment)
        return stamp if place is None else stamp.tz_localize("UTC").tz_convert(place)

    return _built(build)


def _duration(reader: Reader, node: Any) -> Any:
    span = _plain_array(reader, node, kinds="m", dimensions=0)[()]
    return _built(lambda: _pandas().Timedelta(span))


def _plain_array(reader: Reader, node: Any, *, kinds: str = "", dimensions: int = 1) -> Any:
    array = _typed(reader.value(node), _numpy().ndarray)
    if array.ndim != dimensions or array.dtype.kind == "O" or (kinds and array.dtype.kind not in kinds):
        raise ValueError("an array of the wrong kind")
    return array


def _column(reader: Reader, node: Any) -> Any:
    column = reader.value(node)
    if not isinstance(column, _numpy().ndarray | _pandas().api.extensions.ExtensionArray) or column.ndim != 1:
        raise ValueError("a column that is none")
    return column


def _index_of(reader: Reader, node: Any) -> Any:
    return _typed(reader.value(node), _pandas().Index)


def _typed(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {kind.__name__} is missing")
    return value


def _is_objects(column: Any) -> bool:
    return bool(getattr(column.dtype, "kind", "") == "O" and isinstance(column, _numpy().ndarray))


def _built(build: Callable[[], Any]) -> Any:
    try:
        return build()
    except Exception as error:  # noqa: BLE001 - pandas raises what it likes
        raise Missing(
            f"pandas does not take what came ({type(error).__name__}: {str(error)[:200]})"
        ) from None


def _numpy() -> Any:
    return _imported("numpy")


def _pandas() -> Any:
    return _imported("pandas")


def _imported(name: str) -> Any:
    try:
        return import_module(name)  # slow, and seldom needed
    except ImportError:
        raise Missing(f"it needs {name}, which this Python lacks; install it") from None


TABLES: dict[str, Read] = {
    "array": _array,
    "categories": _categories,
    "duration": _duration,
    "frame": _frame,
    "index": _index,
    "masked": _masked,
    "multi_index": _multi_index,
    "na": lambda _: _pandas().NA,
    "nat": lambda _: _pandas().NaT,
    "numpy": _scalar,
    "numpy_bytes": _numpy_bytes,
    "numpy_str": _numpy_str,
    "objects": _objects,
    "range_index": _range_index,
    "series": _series,
    "strings": _strings,
    "timestamp": _timestamp,
    "zoned": _zoned,
}

__all__ = ["TABLES"]
