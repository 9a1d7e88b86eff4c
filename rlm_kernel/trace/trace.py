"""`Trace`: the events of one run in memory, and the tree they make.

One thread appends (the engine's loop thread); any thread may read. Events are frozen and the list only grows,
so a reader needs no copy; the lock protects the tree, which each read brings up to date.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rlm_kernel.trace.call import Call, Tree
from rlm_kernel.trace.events import Event, RunStarted
from rlm_kernel.trace.values import Status, Usage


class Trace:
    """The record of a run. `path` is its file, `warning` says what is wrong with that file, if anything."""

    def __init__(self, events: Iterable[Event] = (), *, live: bool = False, run_id: str = "") -> None:
        self.events: list[Event] = list(events)
        self._run_id = run_id
        self._clock: Callable[[], float] | None = None
        self.path: Path | None = None
        self.warning = ""
        self._closed = threading.Event()
        if not live:
            self._closed.set()
        self._tree = Tree()
        self._applied = 0
        self._cut = False
        self._lock = threading.Lock()

    @property
    def run_id(self) -> str:
        """The run's id, which whoever starts a run knows before its first event; empty while nobody does."""
        if self.events and isinstance(self.events[0], RunStarted):
            return self.events[0].run_id
        return self._run_id

    @property
    def place(self) -> str:
        """Where its file is, for people: from the working folder, or just its name. Empty when it has none.

        The whole path would tell everybody who reads a saved notebook how the author's folders are named.
        """
        if self.path is None:
            return ""
        try:
            here, path = Path.cwd(), self.path.absolute().resolve()
        except OSError:  # the working folder is gone
            return self.path.name
        return str(path.relative_to(here)) if path.is_relative_to(here) else path.name

    def append(self, event: Event) -> None:
        """Adds the next event; only the recorder calls this."""
        self.events.append(event)

    def tick(self, clock: Callable[[], float]) -> None:
        """Has `now` read this clock, which returns seconds since the run began; only the recorder calls this."""
        self._clock = clock

    def now(self) -> float:
        """Seconds since the run began; once it has ended, when its last event was."""
        if self._clock is not None and self.live:
            return self._clock()
        return self.events[-1].t if self.events else 0.0

    def close(self) -> None:
        """Says that no more events will come."""
        self._closed.set()

    def wait_closed(self, seconds: float) -> bool:
        """Whether the trace has ended, after waiting for that up to so long."""
        return self._closed.wait(seconds)

    @property
    def live(self) -> bool:
        """Whether more events may come."""
        return not self._closed.is_set()

    @property
    def tree(self) -> Tree:
        """The tree of all events so far."""
        live = self.live  # asked first: an event may come between the last look and this answer
        with self._lock:
            while self._applied < len(self.events):
                self._tree.apply(self.events[self._applied])
                self._applied += 1
            if not live and not self._cut:
                self._cut = True
                self._tree.cut()
            return self._tree

    @property
    def started(self) -> RunStarted | None:
        """The first event, once it is there."""
        return self.tree.run

    @property
    def root(self) -> Call | None:
        """The call at depth 0, once it has started."""
        return self.tree.root

    @property
    def status(self) -> Status:
        """How the run stands."""
        tree = self.tree
        if tree.end:
            return tree.end.status
        return "running" if self.live else "cut off"

    @property
    def usage(self) -> Usage:
        """What all requests of the run used."""
        root = self.root
        return root.total_usage if root else Usage()

    def walk(self) -> Iterator[Call]:
        """Every call, parents first, in the order they were submitted."""
        root = self.root
        return root.walk() if root else iter(())

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        return f"<Trace {len(self.events)} events, {self.status}>"


__all__ = ["Trace"]
