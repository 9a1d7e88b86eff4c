"""A context becomes bytes and comes back as it was; equal contexts have equal hashes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.repl.pack import pack_context
from rlm_kernel.repl.routes import decode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner)
    ),
    max_leaves=15,
)


def there_and_back(value: Any) -> Any:
    packed = pack_context(value)
    try:
        return decode(packed.route, packed.fd, packed.size)
    finally:
        packed.close()


def hash_of(value: Any) -> str:
    packed = pack_context(value)
    packed.close()
    return packed.card.hash


@pytest.mark.parametrize(
    ("value", "route"),
    [
        ("x", "text"),
        (b"x", "bytes"),
        ([1], "marshal"),
        (None, "none"),
        (OrderedDict(a=1), "pickle"),
        (range(3), "pickle"),
    ],
)
def test_the_route_fits_the_type(value: object, route: str) -> None:
    packed = pack_context(value)
    packed.close()
    assert packed.route == route


@given(PLAIN)
def test_any_plain_value_comes_back_as_it_was(value: object) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@given(st.text())
def test_text_of_any_kind_comes_back(text: str) -> None:
    assert there_and_back(text) == text


def test_text_longer_than_a_chunk_comes_back() -> None:
    text = "é" * (17 * 2**20)
    assert there_and_back(text) == text


def test_equal_values_have_equal_hashes_whatever_objects_they_share() -> None:
    shared = "long enough not to be one object " * 3
    assert hash_of([shared, shared]) == hash_of([shared, "".join(list(shared))])
    assert hash_of(["a"]) != hash_of(["b"])
