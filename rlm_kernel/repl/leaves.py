"""The large parts of a value, for its hash: arrays, columns, tables, in windows of their content.

What a window says is the same for equal content, wherever it lies in memory: a column in a block with others, a column
of its own, an array in chunks. Each window is a job that another thread can do.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from itertools import chain, zip_longest
from typing import Any

Job = Callable[[], bytes]

_WINDOW = 2**18
_ROWS = 2**15


def array_jobs(array: Any) -> list[Job]:
    """The windows of a NumPy array of numbers, dates or fixed texts, in its logical order."""
    if array.ndim == 0:
        return [partial(_array, array.reshape(1))]
    row = max(1, array.nbytes // max(1, len(array)))
    if row > _WINDOW and array.ndim > 1:
        return list(chain.from_iterable(map(array_jobs, array)))
    step = max(1, _WINDOW // row)
    return [partial(_array, array[start : start + step]) for start in range(0, len(array), step)]


def column_jobs(columns: list[list[Job]]) -> list[Job]:
    """The windows of the columns of a table, row by row: where the rows lie together, memory is read once."""
    return [job for row in zip_longest(*columns) for job in row if job is not None]


def arrow_jobs(column: Any) -> list[Job]:
    """The windows of a column of Arrow, chunked or not."""
    return [partial(_arrow, column, start) for start in range(0, len(column), _ROWS)]


def polars_jobs(frame: Any) -> list[Job]:
    """The windows of a frame of polars."""
    return [partial(_polars, frame, start) for start in range(0, frame.height, _ROWS)]


def _array(part: Any) -> bytes:
    return hashlib.sha256(part.ravel().view("u1").data).digest()


def _polars(frame: Any, start: int) -> bytes:
    digest = hashlib.sha256()
    for column in frame.slice(start, _ROWS).to_arrow().columns:
        digest.update(_arrow(column, 0))
    return digest.digest()


def _arrow(column: Any, start: int) -> bytes:
    digest = hashlib.sha256()
    window = column.slice(start, _ROWS)
    for part in _arrow_parts(window.combine_chunks() if hasattr(window, "chunks") else window):
        digest.update(part)
    return digest.digest()


def _arrow_parts(array: Any) -> Iterator[Any]:
    """What there is of an array, and nothing of what lies between: not what is under a null, nor what is around it."""
    import pyarrow as pa  # the array is one of its own

    kind = _texts(array.type) or array.type
    if kind != array.type:
        array = array.cast(kind)
    if array.null_count:
        yield array.is_valid().to_numpy(zero_copy_only=False).tobytes()
        array = array.drop_null()
    if len(array) == 0:
        return
    if isinstance(kind, pa.BaseExtensionType):
        yield from _arrow_parts(array.storage)
    elif pa.types.is_dictionary(kind):
        yield from _arrow_parts(array.dictionary_decode())
    elif pa.types.is_boolean(kind):
        yield array.to_numpy(zero_copy_only=False).tobytes()
    elif _texts(kind) is not None:
        yield from _text_parts(array)
    elif pa.types.is_nested(kind) or not _has_width(kind):
        yield _pickled(array.to_pylist())
    else:
        width = kind.bit_width // 8
        start = array.offset * width
        yield memoryview(array.buffers()[1])[start : start + len(array) * width]


def _texts(kind: Any) -> Any:
    """The type in which texts or bytes of that type are all alike; None for what is neither."""
    import pyarrow as pa

    name = str(kind)
    if name in ("string", "large_string", "string_view"):
        return pa.large_string()
    return pa.large_binary() if name in ("binary", "large_binary", "binary_view") else None


def _text_parts(array: Any) -> Iterator[Any]:
    from pyarrow import compute

    _, places, data = array.buffers()
    places = memoryview(places).cast("q")
    yield memoryview(compute.binary_length(array).buffers()[1])[: len(array) * places.itemsize]
    if data is not None:
        yield memoryview(data)[places[array.offset] : places[array.offset + len(array)]]


def _has_width(kind: Any) -> bool:
    try:
        return int(kind.bit_width) % 8 == 0
    except ValueError:
        return False


def _pickled(values: list[Any]) -> bytes:
    sink = BytesIO()
    pickler = pickle.Pickler(sink, protocol=5)
    pickler.fast = True  # says what is there, not which parts are the same object
    pickler.dump(values)
    return sink.getvalue()


__all__ = ["Job", "array_jobs", "arrow_jobs", "column_jobs", "polars_jobs"]
