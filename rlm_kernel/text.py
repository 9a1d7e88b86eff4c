"""Text as it is shown: cut in its middle when it is long, and with nothing hidden in it."""

from __future__ import annotations

import re

# C0 and C1 controls but tab and newline; zero-width and bidirectional marks; line separators; lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def cut(text: str, limit: int) -> str:
    """The text, or its head and tail around a note of how many characters are left out."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    head = limit - tail
    return f"{text[:head]} … {len(text) - limit:,} characters left out … {text[-tail:]}"


def visible(text: str) -> str:
    """The text with every character that hides or reorders others spelt out, so that what is read is what is there."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


__all__ = ["cut", "visible"]
