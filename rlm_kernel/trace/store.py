"""How a trace lies on disk: one JSON object a line, appended as things happen, readable after any crash.

A text longer than `TEXT_CHARS` is written once, as a `text` line under its SHA-256, before the first event that
uses it; the event holds `{"$text": hash}`. A key of an event's data that begins with `$` gets one more.
`TraceWriter` writes such files, `load` reads them.
"""

from __future__ import annotations

import hashlib

SUFFIX = ".rlm.jsonl"
TEXT_CHARS = 1024
TEXT_KEY = "$text"
MAX_EVENT_BYTES = 16 * 2**20
"""The longest line with an event, whose long texts are not in it."""
MAX_TEXT_BYTES = 257 * 2**20
"""The longest line with a text: as much as a frame from a worker can hold."""


def digest(text: str) -> str:
    """The name of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


__all__ = ["MAX_EVENT_BYTES", "MAX_TEXT_BYTES", "SUFFIX", "TEXT_CHARS", "TEXT_KEY", "digest"]
