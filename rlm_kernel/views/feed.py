"""What one front end is sent of one run: which events, in which messages. No thread and no clock is in here."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from rlm_kernel.trace import Trace
from rlm_kernel.views.shortened import Shortened, sendable, shortened

MAX_EVENTS = 500
MAX_BYTES = 1_000_000
TEXT_CHARS = 4096
OUTPUT_CHARS = 100_000


class Encoded:
    """The events of a trace as they are sent, each made once however many front ends watch."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._made: dict[int, Shortened] = {}

    def __getitem__(self, number: int) -> Shortened:
        # Two threads may make the same one; it is the same then.
        made = self._made.get(number)
        if made is None:
            event = self.trace.events[number]
            made = self._made[number] = shortened(event, text_chars=TEXT_CHARS, output_chars=OUTPUT_CHARS)
        return made


# By the trace's address, which nothing else has while its `Encoded` holds it.
_shared: WeakValueDictionary[int, Encoded] = WeakValueDictionary()


def encoded(trace: Trace) -> Encoded:
    """The events of that trace, shared by all who watch it and gone when nobody does."""
    return _shared.setdefault(id(trace), Encoded(trace))


class Feed:
    """Hands out the messages of one run, from the event numbered `since` on.

    `more` says that another message is ready, `over` that the last one is out.
    """

    def __init__(self, trace: Trace, since: int) -> None:
        self.trace = trace
        self.more = False
        self.over = False
        self._encoded = encoded(trace)
        self._next = since
        self._warning: str | None = None

    def take(self) -> dict[str, Any] | None:
        """The next message, or None while there is nothing to say.

        The first comes at once, with or without events; the last one says that the run is not live any more.
        """
        live = self.trace.live  # asked first: what is said to be over must be all there
        there = len(self.trace.events)
        since, events = self._next, self._batch(there)
        self._next += len(events)
        self.more = self._next < there
        warning = self.trace.warning
        ending = not live and not self.more
        if self.over or not (events or ending or warning != self._warning):
            return None
        self._warning, self.over = warning, ending
        return {
            "op": "events",
            "run": self.trace.run_id,
            "since": since,
            "events": events,
            "live": not ending,
            "now": self.trace.now(),
            "warning": sendable(warning),
            "path": sendable(self.trace.place),
        }

    def _batch(self, there: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        left = MAX_BYTES
        for number in range(self._next, min(there, self._next + MAX_EVENTS)):
            short = self._encoded[number]
            left -= short.size + 1
            if left < 0 and events:
                break
            events.append(short.data)
        return events


__all__ = ["MAX_BYTES", "MAX_EVENTS", "OUTPUT_CHARS", "TEXT_CHARS", "Encoded", "Feed", "encoded"]
