"""The runs of this process that somebody can still ask about: the one place where a front end's question finds them.

A front end knows a run by its id alone, also one that a cell started with `RLM(…).run(…)` and never handed to the
magics. Nothing here keeps a run alive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from weakref import WeakSet, WeakValueDictionary

from rlm_kernel.trace import Decision, Derived, Trace


class AnyRun(Protocol):
    """What a front end can see and do of a run. The real one is on a floor above."""

    trace: Trace

    def cancel(self) -> None:
        """Asks the run to end now; returns at once, from any thread."""

    def answer_now(self) -> object:
        """Asks for one last turn; returns at once, from any thread."""

    def try_now(self) -> object:
        """Tries the server that the run waits for; returns at once, from any thread."""

    def decide(
        self, call_id: str, turn: int, block: int, decision: Decision = "", code: str | None = None
    ) -> bool:
        """Whether that block was held for a person; it goes on as decided."""

    def derive(self, kind: Derived, at: str, edit: Mapping[str, Any]) -> Sequence[AnyRun]:
        """New runs, under way, made from this one. Raises `RLMError`."""


class Listener(Protocol):
    """Whoever wants to know that a run has begun, and may be showing it."""

    def wake(self) -> None:
        """Called on the thread that started the run; must return at once."""

    def watches(self, run_id: str) -> bool:
        """Whether a front end draws the run from what this sends it."""


class Runs:
    """Runs by their id, as long as somebody else holds them. Any thread may use it.

    `cell` tells, on the thread that starts a run, which cell that is for; empty outside a notebook.
    """

    def __init__(self) -> None:
        self.cell: Callable[[], str] = str
        self._runs: WeakValueDictionary[str, AnyRun] = WeakValueDictionary()
        self._cells: dict[str, str] = {}
        self._listeners: WeakSet[Listener] = WeakSet()
        self._lock = threading.Lock()

    def add(self, run: AnyRun) -> None:
        """Makes the run known. Of two with one id the first stays: the other is a copy that was loaded."""
        run_id, live = run.trace.run_id, run.trace.live
        cell = self.cell() if live else ""
        with self._lock:
            if run_id in self._runs:
                return
            self._runs[run_id] = run
            if cell:
                self._cells[run_id] = cell
        if live:
            for listener in self._all_listeners():
                listener.wake()

    def get(self, run_id: str) -> AnyRun | None:
        """The run of that id, if it is there."""
        with self._lock:
            return self._runs.get(run_id)

    def live(self) -> list[Trace]:
        """The traces of the runs under way, in the order they began."""
        with self._lock:
            runs = list(self._runs.values())
        return [run.trace for run in runs if run.trace.live]

    def cell_of(self, run_id: str) -> str:
        """The id of the cell that started the run, or empty."""
        return self._cells.get(run_id, "")

    def listen(self, listener: Listener) -> None:
        """Has the listener told of every run that begins, as long as it is there."""
        with self._lock:
            self._listeners.add(listener)

    def watched(self, run_id: str) -> bool:
        """Whether some front end draws the run by itself."""
        return any(listener.watches(run_id) for listener in self._all_listeners())

    def _all_listeners(self) -> list[Listener]:
        with self._lock:
            return list(self._listeners)


RUNS = Runs()
"""Every `Run` of this process puts itself here."""

__all__ = ["RUNS", "AnyRun", "Listener", "Runs"]
