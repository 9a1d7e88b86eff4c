"""The hash of a context's content: the same for the same data, whatever was done with it in between."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from rlm_kernel.repl import beside, leaves
from rlm_kernel.repl.content import content_hash
from rlm_kernel.repl.pack import pack_context

FRAME = """
import io, pandas as pd
rows = "\\n".join(f"c{n % 7},{n},{n / 3},2024-01-{n % 28 + 1:02d}" for n in range(100))
frame = pd.read_csv(io.StringIO("city,n,part,when\\n" + rows), parse_dates=["when"])
"""


def frame() -> pd.DataFrame:
    names: dict[str, Any] = {}
    exec(FRAME.replace("\\\\", "\\"), names)
    made: pd.DataFrame = names["frame"]
    return made


def test_what_is_done_with_a_frame_does_not_change_it() -> None:
    data = frame()
    first = content_hash(data)
    repr(data)
    data["city"].value_counts()
    data.groupby("city").n.sum()
    assert content_hash(data) == content_hash(data.copy()) == first
    assert content_hash(pd.concat([data[["city"]], data[["n", "part", "when"]]], axis=1)) == first
    assert pack_context(data).card.hash == first


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.assign(n=data.n + 1),
        lambda data: data.assign(n=data.n.astype("int32")),
        lambda data: data.rename(columns={"n": "m"}),
        lambda data: data[["n", "city", "part", "when"]],
        lambda data: data.set_index("city"),
        lambda data: data.rename_axis("row"),
        lambda data: data.iloc[::-1],
        lambda data: data.iloc[:-1],
        lambda data: data.assign(city=data.city.replace("c1", "c9")),
    ],
)
def test_another_content_has_another_hash(change: Any) -> None:
    data = frame()
    assert content_hash(change(data)) != content_hash(data)


def test_another_process_finds_it_the_same() -> None:
    code = FRAME.replace("\\\\", "\\") + (
        "from rlm_kernel.repl.content import content_hash\n"
        "print(content_hash(frame), content_hash({'a': frame, 'b': [frame['n'], frame['city']]}))"
    )
    run = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "12"
    ]
    assert run[0].stdout == run[1].stdout
    assert run[0].stdout.split()[0] == content_hash(frame())


def test_arrays_and_containers_of_them() -> None:
    array = np.arange(12).reshape(3, 4)
    shared = ["x" * 30]
    assert content_hash([array, shared, shared]) == content_hash([array.copy(), ["x" * 30], ["x" * 30]])
    assert content_hash(array) != content_hash(array.T)
    assert content_hash(array) != content_hash(array.astype(float))


def test_what_holds_itself_goes_by_its_bytes() -> None:
    ring: list[Any] = [frame()]
    ring.append(ring)
    assert content_hash(ring) == ""
    assert len(pack_context(ring).card.hash) == 64


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small values have many windows, and two threads."""
    monkeypatch.setattr(leaves, "_WINDOW", 64)
    monkeypatch.setattr(leaves, "_ROWS", 5)
    monkeypatch.setattr("rlm_kernel.repl.content.WORTH_A_THREAD", 0)


@pytest.mark.usefixtures("small_windows")
def test_an_array_is_the_same_however_it_lies() -> None:
    @given(arrays(scalar_dtypes(), array_shapes(min_side=0, max_side=9)))
    def holds(array: Any) -> None:
        spread = np.zeros((*array.shape, 3), array.dtype)
        spread[..., 1] = array
        for other in (np.asfortranarray(array), spread[..., 1], array.copy()):
            assert content_hash(other) == content_hash(array) != ""
        assert content_hash(array.reshape(1, *array.shape)) != content_hash(array)

    holds()


def test_every_item_of_a_large_array_counts() -> None:
    array = np.zeros(700_001, "u1")
    hashes = {content_hash(array)}
    for place in (0, 262_143, 262_144, 524_288, 700_000):
        array[place] = 1
        hashes.add(content_hash(array))
        array[place] = 0
    assert len(hashes) == 6


@pytest.mark.usefixtures("small_windows")
def test_a_frame_is_the_same_in_one_block_or_many() -> None:
    block = pd.DataFrame(np.arange(400.0).reshape(100, 4), columns=list("abcd"))
    apart = pd.DataFrame({name: block[name].to_numpy().copy() for name in block})
    wide = pd.DataFrame(np.arange(800.0).reshape(100, 8)[:, ::2] / 2, columns=list("abcd"))
    assert content_hash(block) == content_hash(apart) == content_hash(wide) == pack_context(apart).card.hash
    assert content_hash(block) != content_hash(block.set_axis(range(1, 101)))


TEXTS = st.lists(st.none() | st.text(max_size=9), max_size=30)


def chunked(items: list[Any], kind: Any, at: int) -> pa.ChunkedArray:
    whole = pa.array([*items, "x", None], kind)
    return pa.chunked_array([whole[:at], whole[at : len(items)]], kind)


@pytest.mark.usefixtures("small_windows")
def test_a_column_of_arrow_is_the_same_in_whatever_chunks() -> None:
    @given(TEXTS, st.integers(0, 30), st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
    def texts(items: list[Any], at: int, kind: Any) -> None:
        first = content_hash(chunked(items, kind, min(at, len(items))))
        assert content_hash(pa.chunked_array([pa.array(items, kind)])) == first != ""
        assert content_hash(chunked([*items, "more"], kind, 0)) != first

    texts()


COLUMNS = {
    "flags": pa.array([True, None, False] * 9),
    "numbers": pa.array([1.5, None, 3] * 9),
    "lists": pa.array([[1, 2], None, []] * 9),
    "records": pa.array([{"a": 1}, None, {"a": None}] * 9),
    "labels": pa.array(["a", None, "b"] * 9).dictionary_encode(),
    "nothing": pa.nulls(27),
    "bytes": pa.array([b"a", None, b""] * 9),
    "dates": pa.array([1, None, 3] * 9, pa.timestamp("s", "UTC")),
}


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_part_is_the_same_as_a_copy_of_it(column: Any) -> None:
    copy = pa.array(column[4:20].to_pylist(), column.type)
    assert content_hash(pa.table({"a": column})[4:20]) == content_hash(pa.table({"a": copy})) != ""
    assert content_hash(column[4:20]) == content_hash(copy)
    assert content_hash(column[4:20]) != content_hash(column[5:21]) or column.type == pa.null()


@pytest.mark.usefixtures("small_windows")
def test_what_lies_under_a_null_does_not_count() -> None:
    validity = pa.py_buffer(bytes([0b101]))
    one, other = (
        pa.Array.from_buffers(pa.int64(), 3, [validity, pa.py_buffer(np.array([1, hidden, 3]).tobytes())])
        for hidden in (5, 7)
    )
    assert one.equals(other)
    assert content_hash(one) == content_hash(other)


@pytest.mark.usefixtures("small_windows")
def test_a_frame_of_polars_is_the_same_however_it_was_made() -> None:
    whole = pl.DataFrame({"n": range(40), "s": ["a", "b"] * 20, "l": [[1], []] * 20})
    parts = pl.concat([whole[:7], whole[7:]], rechunk=False)
    assert parts.n_chunks() == 2
    assert content_hash(parts) == content_hash(whole) == content_hash(whole.clone()) != ""
    assert content_hash(whole) != content_hash(whole.rename({"s": "t"}))
    assert content_hash(whole) != content_hash(whole.with_columns(pl.col("n") + 1))
    assert content_hash(whole["s"]) == content_hash(parts["s"]) != content_hash(whole["n"])


@pytest.mark.usefixtures("small_windows")
def test_columns_of_text_of_arrow_are_read_as_they_are() -> None:
    frame_ = pd.DataFrame({"t": pd.array(["a", None, "b"] * 20, dtype="string[pyarrow]"), "n": range(60)})
    assert content_hash(frame_) == content_hash(pd.concat([frame_[:11], frame_[11:]])[0:60].copy())
    assert content_hash(frame_) != content_hash(frame_.assign(t=frame_.t.fillna("c")))


def test_a_hash_does_not_bring_a_range_to_life() -> None:
    frame_ = pd.DataFrame({"n": np.zeros(10)}, index=pd.RangeIndex(5, 15))
    content_hash(frame_)
    assert "_data" not in frame_.index._cache
    assert content_hash(frame_) != content_hash(frame_.set_axis(pd.RangeIndex(6, 16)))


def test_what_fails_in_the_second_thread_is_raised_in_the_first() -> None:
    def fail() -> bytes:
        raise ValueError("no")

    done: list[int] = []
    with pytest.raises(ValueError, match="no"):
        beside.results_beside([fail], lambda: done.append(1))
    assert done == [1]


def test_results_come_in_order() -> None:
    jobs = [lambda number=number: bytes([number]) for number in range(200)]
    assert beside.results_beside(jobs, lambda: None) == [bytes([number]) for number in range(200)]
