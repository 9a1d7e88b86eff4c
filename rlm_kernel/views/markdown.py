"""Texts of a model inside Markdown: as code, which nothing in them can end, so that none of it is read as markup."""

from __future__ import annotations

import re

from rlm_kernel.text import visible

_TICKS = re.compile("`+")


def fenced(text: str) -> str:
    """The text as a block of its own, fenced by more backticks than it has in a row."""
    shown = visible(text).rstrip("\n")
    fence = "`" * max(3, _longest(shown) + 1)
    return f"{fence}text\n{shown}\n{fence}"


def span(text: str) -> str:
    """A line of text as code inside a sentence; a dash for an empty one."""
    shown = visible(text).replace("\n", " ")
    if not shown.strip(" "):
        return "—"
    fence = "`" * (_longest(shown) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _longest(text: str) -> int:
    return max((len(found[0]) for found in _TICKS.finditer(text)), default=0)


__all__ = ["fenced", "span"]
