"""Text as it is shown: cut in its middle when it is long, and with nothing hidden in it."""

from __future__ import annotations

import re

# C0 and C1 controls but tab and newline; zero-width, bidirectional and tag characters; line separators; lone
# surrogates: the Unicode categories Cc, Cf, Cs, Zl, Zp without the Arabic and other marks that are drawn.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def cut(text: str, limit: int) -> str:
    """The text, or its head and tail around a note of how many characters are left out."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    head = limit - tail
    return f"{text[:head]} … {len(text) - limit:,} characters left out … {text[len(text) - tail :]}"


def visible(text: str) -> str:
    """The text with every character that hides or reorders others spelt out, so that what is read is what is there."""
    return _UNSEEN.sub(
        lambda found: ascii(found[0])[1:-1] if ord(found[0]) > 0xFFFF else f"\\u{ord(found[0]):04x}", text
    )


__all__ = ["cut", "visible"]
