"""The trace as it is kept in a notebook: the same events, made to fit a size, with what was left out counted."""

from __future__ import annotations

import json
import sys
from typing import Any

from rlm_kernel.trace import FORMAT, CallStarted, Event, Trace
from rlm_kernel.views.shortened import Shortened, sendable, shortened

MAX_BYTES = 256 * 1024
ROOT = "0"
# Characters of a text of the root and of what it passed on: what the root did is the story, so it is cut last.
_Size = tuple[int, int]
_SIZES: tuple[_Size, ...] = (
    (100_000, 100_000),
    (100_000, 8_000),
    (100_000, 2_000),
    (20_000, 500),
    (20_000, 120),
    (8_000, 120),
    (8_000, 40),
    (2_000, 40),
    (500, 40),
    (120, 40),
    (40, 40),
)
_WHOLE: _Size = (sys.maxsize, sys.maxsize)
_COUNTS_BYTES = 64  # what the counts may grow by


def snapshot(trace: Trace, *, max_bytes: int | None = MAX_BYTES) -> dict[str, Any]:
    """JSON-able data of at most `max_bytes`: the `run` and whether it is `live`, its `events` in order, `path` of
    the whole trace, and what is missing here: `cut_texts` long texts were shortened (figures and tables are left
    out whole, never cut; an event says in `cut` how many of its texts are not whole), `omitted_calls` calls are
    not there at all."""
    live = trace.live  # asked first: what is said to be over must have its end in it
    everything = list(trace.events)
    budget = sys.maxsize
    if max_bytes is not None:
        frame = json.dumps(_data(trace, live, _Taken(_SIZES[-1], 0), 0))
        budget = max_bytes - len(frame) - _COUNTS_BYTES
    for size in _SIZES if max_bytes is not None else (_WHOLE,):
        taken = _Taken(size, budget).take(everything)
        if taken.fits:
            return _data(trace, live, taken, 0)
    return _fewer(trace, live, everything, budget)


def _fewer(trace: Trace, live: bool, events: list[Event], budget: int) -> dict[str, Any]:
    # The first calls are the story; how many of them fit beside the root is found by halving.
    root = [event for event in events if _call_of(event) == ROOT]
    least = _SIZES[-1][1]
    sizes = [(limit, least) for limit, _ in _SIZES]
    size = next((each for each in sizes if _Taken(each, budget // 2).take(root).fits), sizes[-1])
    ids = [event.call_id for event in events if isinstance(event, CallStarted)]
    made: dict[int, Shortened] = {}
    best, low, high = _Taken(size, budget), 1, len(ids)
    while low <= high:
        middle = (low + high) // 2
        kept = set(ids[:middle])
        taken = _Taken(size, budget, made).take([event for event in events if _call_of(event) in kept])
        if taken.fits:
            best, low = taken, middle + 1
        else:
            high = middle - 1
    return _data(trace, live, best, len(ids) - high)


def _call_of(event: Event) -> str:
    # What is said of the run as a whole is part of the root's story.
    call_id: str = getattr(event, "call_id", ROOT)
    return call_id


class _Taken:
    """Events as JSON-able data with their texts cut, as far as they fit a budget of bytes. `made` has those that
    were made with the same size before."""

    def __init__(self, size: _Size, budget: int, made: dict[int, Shortened] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.cut_texts = 0
        self.fits = True
        self._root, self._other = size
        self._left = budget
        self._made = {} if made is None else made

    def take(self, events: list[Event]) -> _Taken:
        """This, with the events; it stops at the first that does not fit."""
        for event in events:
            short = self._shortened(event)
            self._left -= short.size + 1
            if self._left < 0:
                self.fits = False
                break
            self.events.append(short.data)
            self.cut_texts += short.cut
        return self

    def _shortened(self, event: Event) -> Shortened:
        short = self._made.get(id(event))
        if short is None:
            limit = self._root if _call_of(event) == ROOT else self._other
            short = shortened(event, text_chars=limit, output_chars=limit)
            self._made[id(event)] = short
        return short


def _data(trace: Trace, live: bool, taken: _Taken, omitted: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "run": sendable(trace.run_id),
        "live": live,
        "events": taken.events,
        "path": sendable(trace.place),
        "warning": sendable(trace.warning),
        "cut_texts": taken.cut_texts,
        "omitted_calls": omitted,
    }


__all__ = ["MAX_BYTES", "ROOT", "snapshot"]
