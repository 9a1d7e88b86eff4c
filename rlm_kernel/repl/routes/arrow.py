"""Arrow: how its arrays and polars' frames are pickled, so that their columns are buffers to map and nothing else goes.

A frame of polars goes as a table of Arrow and is one again in the worker. An array that is a part of a larger one takes
only its own part along.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

TOPS = frozenset(("pyarrow", "polars"))
# What an array may hold beside its values before it is worth a copy: padding, a bitmap.
_SLACK = 4_096


def reduced(value: Any) -> Any:
    """As `reducer_override`: how a value of one of these packages is pickled. NotImplemented as it does by itself."""
    name = type(value).__name__
    if type(value).__module__.startswith("polars"):
        if name == "DataFrame":
            return _frame(value)
        if name == "Series":
            column = _frame(value.to_frame())
            return column if column is NotImplemented else (to_series, (*column[1], value.name))
        return NotImplemented
    return (
        _array(value)
        if hasattr(value, "get_total_buffer_size") and name.endswith("Array")
        else NotImplemented
    )


def table_of(frame: Any) -> Any:
    """The frame as a table that gives back the same frame; None where Arrow has no such type, or is not installed."""
    try:
        same = to_frame(frame.clear().to_arrow())
        return frame.to_arrow() if same.schema == frame.schema else None
    except Exception:  # noqa: BLE001 - it says in many ways that it cannot
        return None


def to_frame(table: Any) -> Any:
    """The frame that went as this table."""
    import polars  # only workers that are given a frame load it

    return polars.from_arrow(table)


def to_series(table: Any, name: str) -> Any:
    """The series that went as the only column of this table."""
    return to_frame(table).to_series().alias(name)


def _frame(frame: Any) -> Any:
    table = table_of(frame)
    return NotImplemented if table is None else (to_frame, (table,))


def _array(array: Any) -> Any:
    if type(array).__name__ == "ChunkedArray" or array.get_total_buffer_size() <= array.nbytes + _SLACK:
        return NotImplemented
    return _own_part(array).__reduce_ex__(5)


def _own_part(array: Any) -> Any:
    import pyarrow as pa  # the array is one of its own

    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_arrays([array], names=[""])
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue()).read_next_batch().column(0)


__all__ = ["TOPS", "reduced", "table_of", "to_frame", "to_series"]
