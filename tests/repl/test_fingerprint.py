"""A number that tells whether a value was changed in place."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlm_kernel.repl.child.fingerprint import fingerprint

VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=50)
@given(VALUES)
def test_what_was_not_changed_has_the_same(value: Any) -> None:
    assert fingerprint(value) == fingerprint(value)


@settings(max_examples=50)
@given(st.lists(VALUES, min_size=1, max_size=50), st.data())
def test_what_is_replaced_added_or_removed_is_noticed(value: list[Any], data: st.DataObject) -> None:
    before, at = fingerprint(value), data.draw(st.integers(0, len(value) - 1))
    kept = value[at]
    value[at] = object()
    assert fingerprint(value) != before
    value[at] = kept
    assert fingerprint(value) == before
    value.append(kept)
    assert fingerprint(value) != before
    del value[-1], value[at]
    assert fingerprint(value) != before


def test_a_change_further_in_is_noticed() -> None:
    value = {"papers": [{"title": "a", "pages": [1, 2]}]}
    before = fingerprint(value)
    value["papers"][0]["pages"].append(3)
    assert fingerprint(value) != before


def test_arrays_and_tables_are_looked_at_by_their_ends() -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    array, frame = numpy.zeros(10_000), pandas.DataFrame({"a": range(10_000), "b": "text"})
    before = fingerprint(array), fingerprint(frame)
    assert (fingerprint(array), fingerprint(frame)) == before
    array[-1] = 1
    frame.loc[0, "b"] = "other"
    assert fingerprint(array) != before[0]
    assert fingerprint(frame) != before[1]


def test_it_calls_nothing_of_the_value_and_takes_no_time_over_a_large_one() -> None:
    class Slow:
        def __len__(self) -> int:
            raise AssertionError("asked")

        __repr__ = __hash__ = __eq__ = __len__  # type: ignore[assignment]

    large = [[Slow()] for _ in range(100_000)]
    started = time.perf_counter()
    fingerprint(large)
    assert time.perf_counter() - started < 0.05
