"""Text as it is shown: cut in its middle, nothing hidden."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.text import cut, visible

# The Unicode property Bidi_Control.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ANY = st.text(st.characters())


def test_a_short_text_is_not_cut() -> None:
    assert cut("hello", 5) == "hello"


def test_a_long_text_keeps_its_head_and_tail_around_a_count() -> None:
    assert cut("abcdefghijklmnop", 9) == "abcdef … 7 characters left out … nop"
    assert cut("x" * 2000, 100).split(" … ")[1] == "1,900 characters left out"


@given(text=ANY, limit=st.integers(1, 60))
def test_what_is_kept_is_as_long_as_the_limit(text: str, limit: int) -> None:
    shown = cut(text, limit)
    if len(text) <= limit:
        assert shown == text
        return
    note = f" … {len(text) - limit:,} characters left out … "
    head, tail = text[: limit - limit // 3], text[len(text) - limit // 3 :]
    assert shown == head + note + tail


def test_a_limit_of_nothing_keeps_nothing() -> None:
    assert cut("secret", 0) == " … 6 characters left out … "


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
        ("10\r20", "10\\u000d20"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\ud83d", "\\ud83d"),
        ("\x00\x7f\x85", "\\u0000\\u007f\\u0085"),
        ("Aufsätze 論文 🧪 שלום", "Aufsätze 論文 🧪 שלום"),
    ],
)
def test_what_hides_is_spelt_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("char", BIDI, ids=ascii)
def test_no_character_reorders_others(char: str) -> None:
    assert visible(char) == f"\\u{ord(char):04x}"


@pytest.mark.parametrize(
    "text", ["\u00ad", "\u2060", "\u206a", "\ufff9", "\U000e0041", "\U000e0001"], ids=ascii
)
def test_no_character_is_there_unseen(text: str) -> None:
    assert visible(text).isascii()


@given(text=ANY)
def test_a_visible_text_has_no_control_character_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert {char for char in shown if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")} <= {"\t", "\n"}
    assert visible(shown) == shown
    shown.encode()


@given(text=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
