"""The trace as it is kept in a notebook: the same events, made to fit a size, with what was left out counted."""

from __future__ import annotations

import json
from typing import Any

from rlm_kernel.text import cut
from rlm_kernel.trace import FORMAT, CallStarted, Event, Trace, to_dict

MAX_BYTES = 256 * 1024
_TEXT_STEPS = (100_000, 8_000, 2_000, 500, 120)


def snapshot(trace: Trace, *, max_bytes: int | None = MAX_BYTES) -> dict[str, Any]:
    """JSON-able data of at most `max_bytes`: `events` in order, `path` of the whole trace, and what is missing
    here: `cut_texts` long texts were shortened, `omitted_calls` calls are not there at all."""
    if max_bytes is None:
        return _take(trace, trace.events, 10**9)
    for limit in _TEXT_STEPS:
        data = _take(trace, trace.events, limit)
        if _size(data) <= max_bytes:
            return data
    return _fewer(trace, max_bytes)


def _fewer(trace: Trace, max_bytes: int) -> dict[str, Any]:
    ids = [event.call_id for event in trace.events if isinstance(event, CallStarted)]
    keep = len(ids)
    while True:
        keep //= 2
        kept = set(ids[: max(keep, 1)])
        events = [event for event in trace.events if getattr(event, "call_id", "0") in kept]
        data = _take(trace, events, _TEXT_STEPS[-1])
        data["omitted_calls"] = len(ids) - len(kept)
        if keep <= 1 or _size(data) <= max_bytes:
            return data


def _take(trace: Trace, events: list[Event], limit: int) -> dict[str, Any]:
    counter = [0]
    return {
        "format": FORMAT,
        "events": [_cut(to_dict(event), limit, counter) for event in events],
        "path": str(trace.path) if trace.path else None,
        "warning": trace.warning,
        "cut_texts": counter[0],
        "omitted_calls": 0,
    }


def _cut(value: Any, limit: int, counter: list[int]) -> Any:
    if isinstance(value, str):
        counter[0] += len(value) > limit
        return cut(value, limit)
    if isinstance(value, list):
        return [_cut(item, limit, counter) for item in value]
    if isinstance(value, dict):
        return {key: _cut(item, limit, counter) for key, item in value.items()}
    return value


def _size(data: dict[str, Any]) -> int:
    return len(json.dumps(data, separators=(",", ":")))


__all__ = ["MAX_BYTES", "snapshot"]
