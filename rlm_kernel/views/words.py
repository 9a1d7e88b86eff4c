"""What changed in a text, word by word.

`word_diff` loses nothing, and takes time in proportion to the texts and to what differs in them, never to its square:
past a bound it says less exactly what changed, not later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, groupby
from operator import itemgetter
from typing import Literal

from rlm_kernel.text import cut, visible

Kind = Literal["same", "old", "new"]

MOST_ITEMS = 20_000
"""So many lines or words of a text are aligned with those of another."""
CONTEXT = 60
"""So many characters that are the same are shown beside a change."""

_MOST_CHARS = 1_000_000
_MOST_STEPS = 60_000
# Scripts that put no space between words go by the character; accents and vowel signs stay with their letter.
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_SIGNS = (
    "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
)
_WORD = re.compile(rf"\s+|[{_IDEOGRAPHS}]|(?:(?![{_IDEOGRAPHS}])[\w{_SIGNS}])+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")

# Whether it is the same in both, the text on the left, the text on the right.
_Run = tuple[bool, str, str]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of two texts: `same` in both, `old` in the left one only, `new` in the right one only."""

    kind: Kind
    text: str


def word_diff(left: str, right: str) -> list[Piece]:
    """The pieces of both texts in order: all but the `new` ones make the left text, all but the `old` the right."""
    start = _head(left, right)
    end = _tail(left[start:], right[start:])
    old, new = left[start : len(left) - end], right[start : len(right) - end]
    runs = [(True, left[:start], left[:start]), *_changed(old, new), _same(left[len(left) - end :])]
    return list(_pieces(_tidied(list(_grouped(runs)))))


def marked(pieces: Iterable[Piece]) -> str:
    """The pieces in a plain text, what is gone and what has come in marks: `1 and [-3-]{+4+}`. It hides nothing."""
    marks = {"same": ("", ""), "old": ("[-", "-]"), "new": ("{+", "+}")}
    return "".join(_mark(visible(piece.text), *marks[piece.kind]) for piece in pieces)


def _mark(text: str, before: str, after: str) -> str:
    # A mark at the beginning of the next line would be taken for that line's.
    told = text.rstrip("\n") or text
    return f"{before}{told}{after}{text[len(told) :]}"


def shortened_diff(pieces: list[Piece], limit: int) -> list[Piece]:
    """The pieces with what is the same cut to what stands beside a change, and in all not much longer than `limit`;
    what is left out is counted."""
    out: list[Piece] = []
    room = limit
    for at, piece in enumerate(pieces):
        if room <= 0 and any(shown.kind != "same" for shown in out):
            rest = sum(later.kind != "same" for later in pieces[at:])
            return [*out, Piece(kind="same", text=f" … {rest:,} more changed")] if rest else out
        if piece.kind == "same":
            text = _beside(piece.text, first=at == 0, last=at == len(pieces) - 1)
        else:  # at most half of it, so that there is room for what took its place
            text = cut(piece.text, max(min(room, limit // 2), CONTEXT))
        out.append(Piece(kind=piece.kind, text=text))
        room -= len(text)
    return out


def _beside(text: str, *, first: bool, last: bool) -> str:
    head = "" if first else f"{text[:CONTEXT]} "
    tail = "" if last else f" {text[-CONTEXT:]}"
    left_out = len(text) - (0 if first else CONTEXT) - (0 if last else CONTEXT)
    return text if left_out <= CONTEXT else f"{head}… {left_out:,} characters the same …{tail}"


def _head(left: str, right: str) -> int:
    """How many characters both begin with, up to the end of a word."""
    at = _common(left, right)
    if at == len(left) == len(right):
        return at
    while at and not left[at - 1].isspace():
        at -= 1
    return at


def _tail(left: str, right: str) -> int:
    """How many characters both end with, from the beginning of a word."""
    most = min(len(left), len(right))
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if left[len(left) - middle : len(left) - low] == right[len(right) - middle : len(right) - low]:
            low = middle
        else:
            high = middle - 1
    while low and not left[len(left) - low].isspace():
        low -= 1
    return low


def _common(left: str, right: str) -> int:
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _same(text: str) -> _Run:
    return True, text, text


def _changed(old: str, new: str) -> Iterator[_Run]:
    # Lines first: words that are the same by chance do not tie unlike lines together then.
    if max(len(old), len(new)) > _MOST_CHARS:
        yield False, old, new
        return
    for same, before, after in _aligned(_LINE.findall(old), _LINE.findall(new)):
        if same or not before or not after:
            yield same, before, after
        else:
            yield from _aligned(_WORD.findall(before), _WORD.findall(after))


def _aligned(old: list[str], new: list[str]) -> Iterable[_Run]:
    """The items of both, those that are the same side by side; all as changed where that would take too long."""
    rows = _reached(old, new) if max(len(old), len(new)) <= MOST_ITEMS else None
    if rows is None:
        return [(False, "".join(old), "".join(new))]
    return _grouped(reversed(list(_backwards(rows, old, new))))


def _reached(before: list[str], after: list[str]) -> list[list[int]] | None:
    """How far each number of edits reaches on each diagonal (Myers, 1986), until both are at their end."""
    numbers: dict[str, int] = {}
    old, new = ([numbers.setdefault(item, len(numbers)) for item in items] for items in (before, after))
    most = _MOST_STEPS + 4 * (len(old) + len(new))
    # The square of the edits is the steps that it takes to find them, and there are at least so many.
    if (len(old) + len(new) - 2 * (Counter(old) & Counter(new)).total()) ** 2 > 2 * most:
        return None
    rows: list[list[int]] = []
    steps = 0
    for edits in count():
        last = rows[-1] if rows else []
        row: list[int] = []
        rows.append(row)
        for at in range(edits + 1):
            deleted = last[at - 1] + 1 if at else 0
            x = first = max(deleted, last[at] if at < edits else 0)
            y = x - 2 * at + edits
            while x < len(old) and y < len(new) and old[x] == new[y]:
                x, y = x + 1, y + 1
            row.append(x)
            if x >= len(old) and y >= len(new):
                return rows
            steps += x - first + 1
        if steps > most:
            return None
    return None


def _backwards(rows: list[list[int]], old: list[str], new: list[str]) -> Iterator[_Run]:
    """The way to the end of both, from there to the beginning, an item each."""
    x, y = len(old), len(new)
    for edits in range(len(rows) - 1, -1, -1):
        before, at = rows[edits - 1] if edits else [0], (x - y + edits) // 2
        inserted = at == 0 or (at < edits and before[at - 1] < before[at])
        reached = (before[at] if inserted else before[at - 1] + 1) if edits else 0
        while x > reached:
            x, y = x - 1, y - 1
            yield True, old[x], old[x]
        if edits and inserted:
            y -= 1
            yield False, "", new[y]
        elif edits:
            x -= 1
            yield False, old[x], ""


def _grouped(runs: Iterable[_Run]) -> Iterator[_Run]:
    for same, group in groupby(runs, key=itemgetter(0)):
        parts = list(group)
        old = "".join(part[1] for part in parts)
        new = "".join(part[2] for part in parts)
        if old or new:
            yield same, old, new


def _tidied(runs: list[_Run]) -> Iterator[_Run]:
    # Where one phrase took the place of another, the spaces between their words tell nothing.
    def joins(at: int) -> bool:
        same, text, _ = runs[at]
        between = same and text.isspace() and "\n" not in text and 0 < at < len(runs) - 1
        return between and all((*runs[at - 1][1:], *runs[at + 1][1:]))

    return _grouped((same and not joins(at), old, new) for at, (same, old, new) in enumerate(runs))


def _pieces(runs: Iterable[_Run]) -> Iterator[Piece]:
    for same, old, new in runs:
        if same:
            yield Piece(kind="same", text=old)
            continue
        if old:
            yield Piece(kind="old", text=old)
        if new:
            yield Piece(kind="new", text=new)


__all__ = ["CONTEXT", "MOST_ITEMS", "Kind", "Piece", "marked", "shortened_diff", "word_diff"]
