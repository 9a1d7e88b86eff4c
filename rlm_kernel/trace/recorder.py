"""`Recorder`: stamps events, keeps them in memory and writes them down. Runs on the engine's loop thread only.

A disk that fails does not end a run: writing stops, and the trace carries a warning that every view shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rlm_kernel.trace.events import Event, RunFinished
from rlm_kernel.trace.store import TraceWriter
from rlm_kernel.trace.trace import Trace


class Recorder:
    """The one way into a trace. `lazy` is for the file (see `TraceWriter`); `clock` returns seconds, of which only
    differences matter."""

    def __init__(
        self,
        trace: Trace,
        path: Path | None,
        *,
        lazy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trace = trace
        self._clock = clock
        self._zero = clock()
        trace.tick(self._now)
        self._writer = self._open(path, lazy) if path else None

    def record(self, event: Event) -> None:
        """Adds the event with its number and time."""
        stamped = _stamped(event, len(self.trace.events), self._now())
        self.trace.append(stamped)
        if self._writer:
            self._write(self._writer, stamped)
        if isinstance(stamped, RunFinished):
            self.close()

    def close(self) -> None:
        """Ends the trace: no event follows."""
        if self._writer:
            self._close(self._writer)
            self._writer = None
        self.trace.close()

    def _close(self, writer: TraceWriter) -> None:
        try:
            writer.close()
        except OSError as error:
            self._warn(writer.path, error)

    def _now(self) -> float:
        return round(self._clock() - self._zero, 6)

    def _open(self, path: Path, lazy: bool) -> TraceWriter | None:
        try:
            make_private(path.parent)
            writer = TraceWriter(path, lazy=lazy)
        except OSError as error:
            self._warn(path, error)
            return None
        self.trace.path = path
        return writer

    def _write(self, writer: TraceWriter, event: Event) -> None:
        try:
            writer.write(event)
        except (OSError, ValueError) as error:
            self._warn(writer.path, error)
            writer.close()
            self._writer = None

    def _warn(self, path: Path, error: OSError | ValueError) -> None:
        self.trace.warning = (
            f"the trace is not saved: {getattr(error, 'strerror', None) or error} ({path.parent.name}/{path.name}). "
            "It is still in memory: run.save('…') writes it elsewhere."
        )


def _stamped(event: Event, seq: int, t: float) -> Event:
    # What `dataclasses.replace` gives, without its checks: three events are recorded for every sub-call.
    stamped = object.__new__(type(event))
    stamped.__dict__.update(event.__dict__, seq=seq, t=t)
    return stamped


def make_private(folder: Path) -> None:
    """Makes the folder for its owner alone, if it is not there. Raises `OSError`."""
    # Prompts and replies are nobody else's, and a repository around the notebook must not pick them up.
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)  # another kernel may make it meanwhile
        (folder / ".gitignore").write_text("*\n")


__all__ = ["Recorder", "make_private"]
