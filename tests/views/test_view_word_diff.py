"""What changed in a text, word by word: nothing is lost, nothing hides, and it never takes long."""

import time
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from view_checks import hidden, read_diff

from rlm_kernel.views.markup import changed
from rlm_kernel.views.words import CONTEXT, Piece, marked, shortened_diff, word_diff


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ("", "", ""),
        ("the same", "the same", "the same"),
        ("", "new", "{+new+}"),
        ("old", "", "[-old-]"),
        ("1 and 3", "1 and 4", "1 and [-3-]{+4+}"),
        ("papers 1 and 3", "papers 1, 2 and 3", "papers 1{+, 2+} and 3"),
        ("foo", "foobar", "[-foo-]{+foobar+}"),
        ("foo", "foo bar", "foo{+ bar+}"),
        ("the cat sat on it", "the dog ran on it", "the [-cat sat-]{+dog ran+} on it"),
        ("x = f(a, b)", "x = f(a, c)", "x = f(a, [-b-]{+c+})"),
        ("第一と第三", "第二と第三", "第[-一-]{+二+}と第三"),
        ("cafe\u0301 noir", "cafe noir", "[-cafe\u0301-]{+cafe+} noir"),
        ("a = 1\nb = 2\n", "a = 3\nb = 4\n", "a = [-1-]{+3+}\nb = [-2-]{+4+}\n"),
        ("one\ntwo\nthree\n", "one\nthree\n", "one\n[-two-]\nthree\n"),
    ],
)
def test_words_that_changed(left: str, right: str, told: str) -> None:
    assert marked(word_diff(left, right)) == told


def test_pieces_say_where_they_are() -> None:
    assert word_diff("1 and 3", "1 and 4") == [
        Piece(kind="same", text="1 and "),
        Piece(kind="old", text="3"),
        Piece(kind="new", text="4"),
    ]


WORDS = st.lists(
    st.sampled_from(["a", "b", " ", "\n", "語", "_", "e\u0301", ".", "\ud83d"]), max_size=40
).map("".join)
EDITS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.text(max_size=5)), max_size=5)


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with a few stretches of it replaced."""
    for place, length, put in edits:
        at = place % (len(text) + 1)
        text = text[:at] + put + text[at + length :]
    return text


@settings(deadline=None)
@given(left=WORDS | st.text(), right=WORDS | st.text())
@example(left="a b a", right="a")
@example(left="a", right="a a")
@example(left="\n", right="\n\n")
def test_the_pieces_make_both_texts(left: str, right: str) -> None:
    applied(left, right)


@settings(deadline=None)
@given(left=WORDS, edits=EDITS)
def test_the_pieces_make_a_text_and_what_it_was_edited_to(
    left: str, edits: list[tuple[int, int, str]]
) -> None:
    applied(left, edited(left, edits))


def applied(left: str, right: str) -> list[Piece]:
    """The pieces, which make both texts, follow each other in one way only and have something each."""
    pieces = word_diff(left, right)
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == left
    assert "".join(piece.text for piece in pieces if piece.kind != "old") == right
    kinds = [piece.kind for piece in pieces]
    assert all(piece.text for piece in pieces)
    assert all(one != two and (one, two) != ("new", "old") for one, two in pairwise(kinds))
    assert (kinds in ([], ["same"])) == (left == right)
    return pieces


SLOW = [
    ("a " * 10_000, "b " * 10_000),
    ("a b " * 9_000, "b a a " * 6_000),
    ("ab" * 1_000_000, "ba" * 1_000_000),
    ("a\n" * 19_000 + "b\n", "b\n" + "a\n" * 19_000),
    (
        "".join(f"{number}\n" for number in range(60_000)),
        "".join(f"{number}\n" for number in range(60_000, 0, -1)),
    ),
    ("x" * 3_000_000 + " y", "x" * 3_000_000 + " z"),
    ("one two " * 200_000, "two one three " * 200_000),
]


@pytest.mark.parametrize(("left", "right"), SLOW, ids=range(len(SLOW)))
def test_no_texts_take_long(left: str, right: str) -> None:
    start = time.perf_counter()
    applied(left, right)
    assert time.perf_counter() - start < 5.0


def test_a_change_at_the_end_of_a_long_text_is_found() -> None:
    same = "word " * 100_000
    assert marked(word_diff(f"{same}old", f"{same}new")) == f"{same}[-old-]{{+new+}}"


def test_a_few_changes_in_a_long_text_are_found() -> None:
    lines = [f"line {number} says little\n" for number in range(15_000)]
    right = [*lines]
    right[7], right[9_000] = "line 7 says nothing\n", "a new line\n"
    pieces = word_diff("".join(lines), "".join(right))
    assert [piece.text for piece in pieces if piece.kind == "new"] == ["nothing", "a new line"]


def test_what_is_the_same_is_cut_to_what_stands_beside_a_change() -> None:
    around = "word " * 100
    told = marked(shortened_diff(word_diff(f"{around}old {around}", f"{around}new {around}"), 1000))
    beside = "word " * (CONTEXT // 5)
    assert told == (
        f"… 440 characters the same … {beside}[-old-]{{+new+}} {beside} … 441 characters the same …".replace(
            "  ", " "
        )
    )


def test_what_changed_is_cut_in_its_middle() -> None:
    pieces = shortened_diff(word_diff("x" * 5000, "y " * 5000), 200)
    assert [piece.kind for piece in pieces] == ["old", "new"]
    assert "characters left out" in pieces[0].text
    assert len(marked(pieces)) < 500


def test_changes_that_are_left_out_are_counted() -> None:
    left = "".join(f"{number} same\n" for number in range(100))
    pieces = shortened_diff(word_diff(left, left.replace("9 same", "9 other")), 60)
    changes = 2 * left.count("9 same")
    shown = sum(piece.kind != "same" for piece in pieces)
    assert 0 < shown < changes
    assert pieces[-1].text == f" … {changes - shown} more changed"


@settings(deadline=None)
@given(left=WORDS | st.text(), right=WORDS | st.text(), limit=st.integers(0, 100))
def test_a_diff_is_shown_well_formed_and_hides_nothing(left: str, right: str, limit: int) -> None:
    pieces = word_diff(left, right)
    assert hidden(marked(pieces)) == []
    seen = read_diff(f"<div>{changed(pieces, limit)}</div>")
    assert hidden(seen.text) == []
    assert set(seen.tags) <= {"div", "pre", "del", "ins"}


@pytest.mark.parametrize(
    "sly",
    ["<script>alert(1)</script>", "</del></pre><img src=x onerror=alert(1)>", "\x1b[2J\u202e\u200b\ud83d"],
)
def test_no_text_of_a_diff_becomes_markup(sly: str) -> None:
    for left, right in ((sly, "x"), ("x", sly), (f"a {sly} b", f"a {sly} c")):
        seen = read_diff(f"<div>{changed(word_diff(left, right), 1000)}</div>")
        assert hidden(seen.text) == []
        assert ("alert(1)" in seen.text) == ("alert(1)" in sly)


def test_a_diff_as_html() -> None:
    assert (
        changed(word_diff("a & 3", "a & <4>"), 100) == "<pre>a &amp; <del>3</del><ins>&lt;4&gt;</ins></pre>"
    )
