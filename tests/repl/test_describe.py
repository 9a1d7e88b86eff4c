"""What is said of a context instead of showing it."""

from __future__ import annotations

from pathlib import PurePosixPath

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.repl.describe import brief, chars_in, describe, length_of, preview, schema, type_name


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["ab", "abcd"], "list of 2 str, 2 to 4 characters each"),
        (("abc", "abc"), "tuple of 2 str, 3 characters each"),
        ({"a": "xy", "b": "x"}, "dict of 2 str -> str, 1 to 2 characters each"),
        ({1: "x", "b": None}, "dict of 2 int | str -> NoneType | str, 1 character each"),
        ([{"title": "A", "year": 1999}], "list of 1 dict, the first with keys 'title', 'year'"),
        ([], "list of 0 nothing"),
        ("text", ""),
        (7, ""),
    ],
)
def test_how_a_value_is_built(value: object, said: str) -> None:
    assert schema(value) == said


def test_a_table_is_described_by_its_columns() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5]})
    assert type_name(frame) == "pandas.DataFrame"
    assert schema(frame) == "shape (2, 2), columns: a (int64), b (float64)"
    assert "1.5" in preview(frame)


def test_a_long_text_shows_its_head_and_tail_and_how_much_is_between() -> None:
    shown = preview("a" * 500 + "b" * 9_000 + "c" * 500)
    assert shown.startswith("aaa")
    assert shown.endswith("ccc")
    assert "… 9,400 characters left out …" in shown


def test_a_long_list_shows_its_first_and_last_items() -> None:
    assert preview(list(range(100))) == "[0, 1, 2, … 95 more …, 98, 99]"


def test_characters_are_those_of_the_texts_in_it() -> None:
    assert chars_in({"a": "xx", "b": "yyy"}) == 5
    assert chars_in([1, 2]) is None


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


def test_an_object_that_cannot_be_shown_is_described_all_the_same() -> None:
    assert brief(Odd()) == "<unprintable Odd>"
    card = describe([Odd()])
    assert (card["type"], card["length"]) == ("list", 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_has_a_short_description(value: object) -> None:
    card = describe(value)
    assert len(card["preview"]) < 700
    assert len(card["schema"]) < 700


def test_a_table_of_arrow_is_described_by_its_columns() -> None:
    table = pa.table({"n": [1, 2, 3, 4], "s": list("abcd")})
    assert type_name(table) == "pyarrow.Table"
    assert schema(table) == "shape (4, 2), columns: n (int64), s (string)"
    assert "[1,2,3]" in preview(table).replace(" ", "")
    assert schema(pa.array([1, None])) == "2 of int64, 1 null"
    assert preview(pa.array([1, None])) == preview(pa.array([1, None]))


def test_a_frame_of_polars_is_described_by_its_columns() -> None:
    frame = pl.DataFrame({"n": [1, 2, 3, 4], "s": list("abcd")})
    assert (type_name(frame), length_of(frame)) == ("polars.DataFrame", 4)
    assert schema(frame) == "shape (4, 2), columns: n (Int64), s (String)"
    assert "shape: (3, 2)" in preview(frame)
    assert preview(frame.lazy()).startswith("<LazyFrame")


def test_a_large_set_shows_a_few_of_its_members() -> None:
    assert preview(set(range(10**6))) == "{0, 1, 2, 3, …}"
    assert preview({"a"}) == "{'a'}"
    assert preview(frozenset()) == "frozenset()"


def test_a_path_is_told_to_be_a_name() -> None:
    card = describe(PurePosixPath("/data/papers"))
    assert card["preview"] == "PurePosixPath('/data/papers')"
    assert card["schema"] == "the name of a file or folder; what is in it does not come along"


def test_bytes_are_counted() -> None:
    assert schema(b"x" * 1_200) == "1,200 bytes"
