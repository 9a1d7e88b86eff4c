"""How much of a run a static view shows, from most to least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_BYTES = 128 * 1024
"""Bytes of UTF-8 that a static view has in a notebook."""
_EVERYTHING = 10**9


@dataclass(frozen=True)
class Extent:
    """How much is shown: characters of the texts of an rlm call and of an llm call, calls of a group, turns of a
    call, rows of a table."""

    rlm: int = _EVERYTHING
    llm: int = _EVERYTHING
    calls: int = _EVERYTHING
    turns: int = _EVERYTHING
    rows: int = 20


# What the root did is the story, so what it passed on is cut first.
EXTENTS = (
    Extent(20_000, 8_000, 200),
    Extent(8_000, 3_000, 100),
    Extent(8_000, 1_000, 60),
    Extent(8_000, 400, 40),
    Extent(4_000, 400, 10, rows=10),
    Extent(2_000, 200, 5, rows=5),
    Extent(1_000, 120, 3, rows=3),
    Extent(200, 60, 1, rows=0),
    Extent(60, 60, 0, rows=0),
    Extent(60, 60, 0, 0, rows=0),
)
"""The first that fits is taken."""


def fitted(draw: Callable[[int, int], str], sizes: Sequence[tuple[int, int]], max_bytes: int) -> str:
    """What `draw` gives for the first of the sizes (characters of a text, rows) with which it fits, or for the last."""
    out = ""
    for chars, rows in sizes:
        out = draw(chars, rows)
        if len(out.encode()) <= max_bytes:
            break
    return out


__all__ = ["EXTENTS", "MAX_BYTES", "Extent", "fitted"]
