"""An event as it is sent or kept in a notebook: its long texts cut, and nothing in it that no message can carry."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import Event, to_dict

CUT_KEY = "cut"
"""Where a shortened event says how many of its texts are not whole."""

_NAME = 100  # ids and hashes are never longer, and never cut
_SLACK = 60  # as long as the note that would stand in its place
_LONE = re.compile("[\ud800-\udfff]")
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, kw_only=True)
class Shortened:
    """`data` is the JSON-able event, `size` its bytes as JSON, `cut` how many of its texts are not whole."""

    data: dict[str, Any]
    size: int
    cut: int


def shortened(event: Event, *, text_chars: int, output_chars: int) -> Shortened:
    """The event with no text much longer than `text_chars`. A figure or a table is nothing without its end: one longer
    than `output_chars` is left out whole."""
    data = to_dict(event)
    outputs = data.pop("outputs", [])
    whole = [each for each in outputs if all(len(text) <= output_chars for text in each["data"].values())]
    texts = _Texts(max(text_chars + _SLACK, _NAME), text_chars)
    data = texts.cut(data)
    if whole:
        data["outputs"] = whole
    missing = texts.number + len(outputs) - len(whole)
    if missing:
        data[CUT_KEY] = missing
    line = _encode(data)
    if "\\ud" in line:
        data = sendable(data)
        line = _encode(data)
    return Shortened(data=data, size=len(line), cut=missing)


def sendable(value: Any) -> Any:
    """The data with lone surrogates spelt out: they are no characters, and a message with one cannot be sent."""
    if isinstance(value, str):
        return _LONE.sub(lambda found: visible(found[0]), value)
    if isinstance(value, list):
        return [sendable(item) for item in value]
    if isinstance(value, dict):
        return {sendable(key): sendable(item) for key, item in value.items()}
    return value


class _Texts:
    def __init__(self, longest: int, limit: int) -> None:
        self.number = 0
        self._longest = longest
        self._limit = limit

    def cut(self, value: Any) -> Any:
        if isinstance(value, str):
            if len(value) <= self._longest:
                return value
            self.number += 1
            return cut(value, self._limit)
        if isinstance(value, list):
            return [self.cut(item) for item in value]
        if isinstance(value, dict):
            return {key: self.cut(item) for key, item in value.items()}
        return value


__all__ = ["CUT_KEY", "Shortened", "sendable", "shortened"]
