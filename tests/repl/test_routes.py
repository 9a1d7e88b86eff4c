"""A context becomes bytes and comes back as it was; equal contexts have equal hashes."""

from __future__ import annotations

import array
import marshal
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fresh
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes
from pandas.testing import assert_frame_equal

from rlm_kernel.repl.pack import Packed, pack_context, store
from rlm_kernel.repl.routes import decode, encode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner)
    ),
    max_leaves=15,
)


@contextmanager
def packed(value: Any) -> Iterator[Packed]:
    context = pack_context(value)
    try:
        yield context
    finally:
        context.close()


def there_and_back(value: Any) -> Any:
    with packed(value) as context:
        return decode(context.route, context.fd, context.size)


def hash_of(value: Any) -> str:
    with packed(value) as context:
        return context.card.hash


def read(context: Packed) -> bytes:
    return os.pread(context.fd, context.size, 0)


@pytest.mark.parametrize(
    ("value", "route"),
    [
        ("x", "text"),
        (b"x", "bytes"),
        ([1], "marshal"),
        ({"a": ({1}, frozenset({2}), 1j, ...)}, "marshal"),
        (None, "none"),
        (OrderedDict(a=1), "pickle"),
        (range(3), "pickle"),
        (bytearray(b"x"), "pickle"),
        (np.arange(3), "pickle"),
    ],
)
def test_the_route_fits_the_type(value: object, route: str) -> None:
    with packed(value) as context:
        assert context.route == route


@given(PLAIN)
def test_any_plain_value_comes_back_as_it_was(value: object) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@given(PLAIN)
def test_in_pieces_a_plain_value_is_what_marshal_makes_of_it(value: object) -> None:
    route, pieces = encode(value)
    if route == "marshal":
        assert b"".join(pieces) == marshal.dumps(value, 2)


@pytest.mark.parametrize("value", [list(range(300_000)), tuple("ab" * 9), {n: str(n) for n in range(90_000)}])
def test_many_items_are_what_marshal_makes_of_them(value: object) -> None:
    assert b"".join(encode(value)[1]) == marshal.dumps(value, 2)


@given(st.text())
def test_text_of_any_kind_comes_back(text: str) -> None:
    assert there_and_back(text) == text


def test_text_longer_than_a_chunk_comes_back() -> None:
    text = "é" * (5 * 2**20)
    assert there_and_back(text) == text


@pytest.mark.parametrize(
    "value",
    [
        np.float64(1.5),
        np.arange(3),
        np.array(["a", None], dtype=object),
        np.datetime64("2024-01-01"),
        bytearray(b"x"),
        array.array("d", [1.0]),
        True,
    ],
)
@pytest.mark.parametrize("hold", [list, dict], ids=["in a list", "in a dict in a list"])
def test_what_looks_like_bytes_stays_what_it_is(value: Any, hold: type) -> None:
    back = there_and_back([value] if hold is list else [{"key": value}])
    found = back[0] if hold is list else back[0]["key"]
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_a_list_that_holds_itself_comes_back() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    back = there_and_back(ring)
    assert back[1] is back


def test_a_deep_list_comes_back() -> None:
    deep: Any = "bottom"
    for _ in range(300):
        deep = [deep]
    assert there_and_back(deep) == deep


@given(
    arrays(
        scalar_dtypes() | st.just(np.dtype([("n", "i4"), ("x", "f8")])), array_shapes(min_side=0, max_dims=3)
    )
)
def test_any_array_comes_back(value: Any) -> None:
    for each in (value, value.T, value[::2]):
        back = there_and_back(each)
        assert back.dtype.newbyteorder("=") == each.dtype.newbyteorder(
            "="
        )  # numpy turns dates to this machine's
        assert back.astype(each.dtype).tobytes() == each.tobytes()


FRAMES = {
    "numbers": lambda: pd.DataFrame({"a": np.arange(5_000), "b": np.linspace(0, 1, 5_000)}),
    "one block": lambda: pd.DataFrame(np.arange(20_000.0).reshape(5_000, 4), columns=list("abcd")),
    "texts": lambda: pd.DataFrame({"t": ["é", None, "abc"] * 900}),
    "objects": lambda: pd.DataFrame({"t": pd.Series(["a", 1, None], dtype=object)}),
    "dates": lambda: pd.DataFrame({"d": pd.date_range("2024-01-01", periods=900, tz="Europe/Paris")}),
    "categories": lambda: pd.DataFrame({"c": pd.Categorical(["x", "y"] * 900)}),
    "arrow": lambda: pd.DataFrame({"s": pd.array(["a", None] * 900, dtype="string[pyarrow]")}),
    "nullable": lambda: pd.DataFrame({"n": pd.array([1, None] * 900, dtype="Int64")}),
    "index": lambda: pd.DataFrame(
        {"n": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"])
    ),
    "part": lambda: pd.DataFrame({"a": np.arange(9_000), "t": ["ab"] * 9_000})[10:20],
    "nothing": lambda: pd.DataFrame({"a": []}),
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_a_frame_comes_back(make: Any) -> None:
    assert_frame_equal(there_and_back(make()), make())


def test_a_large_array_lies_in_the_file_where_a_register_likes_it() -> None:
    one, other = np.arange(1_001, dtype="u1"), np.arange(70_000.0)
    with packed([other, one, other[:600]]) as context:
        data = read(context)
        assert data.find(other.tobytes()) % 64 == 0
        back = decode(context.route, context.fd, context.size)
    assert all(each.ctypes.data % 64 == 0 for each in (back[0], back[2]))
    assert back[0].flags.writeable


def test_what_cannot_be_written_to_cannot_be_there() -> None:
    value = np.arange(9_000)
    value.flags.writeable = False
    assert not there_and_back(value).flags.writeable


def test_writing_in_one_worker_reaches_neither_the_user_nor_another_worker() -> None:
    value = np.zeros(100_000)
    frame = pd.DataFrame({"a": np.zeros(100_000), "b": np.zeros(100_000)})
    with packed({"array": value, "frame": frame}) as context:
        before = read(context)
        spoil = """
        context["array"][:] = 7
        context["frame"].iloc[:, 0] = 7
        print(context["array"].sum() + context["frame"]["a"].sum())
        """
        assert fresh.in_fresh_process(context, spoil) == "1400000.0"
        look = 'print(context["array"].sum() + context["frame"].to_numpy().sum())'
        assert fresh.in_fresh_process(context, look) == "0.0"
        assert read(context) == before
    assert value.sum() == frame.to_numpy().sum() == 0


def test_the_file_itself_cannot_be_changed_from_a_worker() -> None:
    with packed(np.zeros(100_000)) as context:
        tries = f"""
        import mmap
        def attempt(change):
            try:
                change()
            except (OSError, ValueError) as error:
                print(type(error).__name__, end=" ")
        attempt(lambda: os.pwrite({context.fd}, b"spoilt", 0))
        attempt(lambda: os.ftruncate({context.fd}, 0))
        attempt(lambda: mmap.mmap({context.fd}, 10, access=mmap.ACCESS_WRITE))
        os.lseek({context.fd}, 0, 2)
        attempt(lambda: os.write({context.fd}, b"more"))
        """
        assert fresh.in_fresh_process(context, tries) == " ".join(["PermissionError"] * 4)


def test_forks_of_a_process_that_has_loaded_it_have_a_copy_each() -> None:
    frame = pd.DataFrame({"a": np.ones(100_000), "t": ["ab"] * 100_000})
    with packed(frame) as context:
        forks = f"""
        os.close({context.fd})
        for number in range(2):
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                os.closerange(3, 64)
                context.iloc[:50_000, 0] = 5
                print(number, context["a"].sum(), context["t"].str.len().sum(), flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        print(context["a"].sum())
        """
        said = fresh.in_fresh_process(context, forks).splitlines()
    assert said == ["0 300000.0 200000", "1 300000.0 200000", "100000.0"]


TABLES = {
    "table": lambda: pa.table({"a": list(range(5_000)), "s": ["x", None, "yé"] + ["z"] * 4_997}),
    "batch": lambda: pa.record_batch({"a": [1, None], "l": [[1], None]}),
    "chunks": lambda: pa.chunked_array([["a"], ["b", None]]),
    "array": lambda: pa.array([{"x": 1}, None]),
    "dictionary": lambda: pa.table({"d": pa.array(["a", "b", "a"]).dictionary_encode()}),
    "nothing": lambda: pa.table({"a": pa.array([], pa.int8())}),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_of_arrow_comes_back(make: Any) -> None:
    for value in (make(), make().slice(1, 2)):
        back = there_and_back([value])[0]
        assert type(back) is type(value)
        assert back.equals(value)


def test_a_part_of_a_table_takes_only_itself_along() -> None:
    table = pa.table({"n": list(range(200_000)), "s": ["secret" * 10] * 200_000})
    with packed(table.slice(5, 10)) as context:
        assert context.size < 10_000
    with packed(pd.DataFrame({"s": ["secret" * 10] * 200_000})[5:15]) as context:
        assert context.size < 20_000


POLARS = {
    "numbers and texts": lambda: pl.DataFrame({"n": range(5_000), "s": ["é"] * 5_000}),
    "categories": lambda: pl.DataFrame({"c": pl.Series(["x", "y"], dtype=pl.Categorical)}),
    "enum": lambda: pl.DataFrame({"c": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"]))}),
    "nested": lambda: pl.DataFrame({"l": [[1], []], "s": [{"a": 1}, {"a": None}]}),
    "dates": lambda: pl.DataFrame({"d": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 9), eager=True)}),
    "nothing": lambda: pl.DataFrame(),
    "large numbers": lambda: pl.DataFrame({"n": pl.Series([2**100], dtype=pl.Int128)}),
}


@pytest.mark.parametrize("make", POLARS.values(), ids=POLARS)
def test_a_frame_of_polars_comes_back(make: Any) -> None:
    frame = make()
    back = there_and_back({"frame": frame})["frame"]
    assert back.schema == frame.schema
    assert back.equals(frame)
    for column in frame.iter_columns():
        again = there_and_back(column)
        assert again.name == column.name
        assert again.equals(column)


def test_a_frame_of_polars_is_usable_in_a_worker() -> None:
    with packed(pl.DataFrame({"n": range(5_000), "g": ["a", "b"] * 2_500})) as context:
        said = fresh.in_fresh_process(context, "print(context.group_by('g').sum().sort('g').rows())")
    assert said == "[('a', 6247500), ('b', 6250000)]"


@pytest.mark.parametrize(
    ("make", "safe"),
    [
        (lambda: "text", True),
        (lambda: None, True),
        (lambda: ["text"], True),
        (lambda: np.arange(9), True),
        (lambda: pd.DataFrame({"a": ["x"]}), True),
        (lambda: pa.table({"a": [1]}), True),
        (lambda: OrderedDict(a=range(3)), True),
        (lambda: pl.DataFrame({"a": [1]}), False),
        (lambda: {"a": [pl.Series([1])]}, False),
        (lambda: pl.col("a") + 1, False),
        (lambda: {"polars": pl}, False),
    ],
)
def test_whether_a_process_that_has_loaded_it_may_be_forked(make: Any, safe: bool) -> None:
    with packed(make()) as context:
        assert context.forkable is safe


def test_what_others_have_pickled_is_not_known_to_be_safe_in_a_fork() -> None:
    route, pieces = encode(OrderedDict(a=1))
    context = store(route, pieces, {"name": "context", "type": "OrderedDict"})
    assert not context.forkable
    assert decode(route, context.fd, context.size) == OrderedDict(a=1)
    context.close()


def test_equal_values_have_equal_hashes_whatever_objects_they_share() -> None:
    shared = "long enough not to be one object " * 3
    assert hash_of([shared, shared]) == hash_of([shared, "".join(list(shared))])
    assert hash_of(["a"]) != hash_of(["b"])


def test_equal_sets_have_equal_hashes_whatever_order_they_are_in() -> None:
    small = set(range(8))
    grown = set(range(4_000)) - set(range(8, 4_000))
    words = {f"word {n}" for n in range(90)}
    assert small == grown
    assert hash_of({0, 8, 16}) == hash_of({16, 8, 0})
    assert hash_of(small) == hash_of(grown)
    with packed(words) as context:
        said = fresh.in_fresh_process(
            context, "from rlm_kernel.repl.pack import pack_context; print(pack_context(context).card.hash)"
        )
    assert said == hash_of(words) != hash_of(frozenset(words))
