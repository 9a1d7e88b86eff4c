"""`Recorder`: stamps events, takes secrets out of them, keeps them in memory and writes them down. Runs on the engine's
loop thread only.

A disk that fails does not end a run: writing stops, and the trace carries a warning that every view shows.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rlm_kernel.trace.events import CallFinished, Event, ModelAsked, RunFinished, RunStarted
from rlm_kernel.trace.redact import Redactor
from rlm_kernel.trace.syncer import Syncer
from rlm_kernel.trace.syncer import syncer as syncer_of_process
from rlm_kernel.trace.trace import Trace
from rlm_kernel.trace.writer import TraceWriter

T = TypeVar("T")


class Recorder:
    """The one way into a trace. `lazy` is for the file (see `TraceWriter`); `redactor` knows the secrets that no event
    keeps; `clock` returns seconds, of which only differences matter; `syncer` is by default that of the process."""

    def __init__(
        self,
        trace: Trace,
        path: Path | None,
        *,
        lazy: bool = False,
        redactor: Redactor | None = None,
        clock: Callable[[], float] = time.monotonic,
        syncer: Syncer | None = None,
    ) -> None:
        self.trace = trace
        self._redactor = redactor or Redactor()
        self._clock = clock
        self._zero = clock()
        trace.tick(self._now)
        self._writer = self._open(path, lazy, syncer or syncer_of_process()) if path else None

    def record(self, event: Event) -> None:
        """Adds the event with its number and time."""
        stamped = self.clean(_stamped(event, len(self.trace.events), self._now()))
        self.trace.append(stamped)
        if self._writer:
            self._write(self._writer, stamped)
        if isinstance(stamped, RunFinished):
            self.close()

    def clean(self, value: T) -> T:
        """The value without the secrets, as events keep it: what comes from a model or from its code, before anything is
        made of it. So what is asked again when the run is done again is what was asked, whatever its secrets are then.
        """
        return self._redactor.clean(value)

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

    def _open(self, path: Path, lazy: bool, syncer: Syncer) -> TraceWriter | None:
        try:
            make_private(path.parent)
            writer = TraceWriter(path, lazy=lazy, syncer=syncer, failed=lambda error: self._warn(path, error))
        except OSError as error:
            self._warn(path, error)
            return None
        self.trace.path = path
        return writer

    def _write(self, writer: TraceWriter, event: Event) -> None:
        try:
            writer.write(event, matters=_matters(event))
        except (OSError, ValueError) as error:
            self._warn(writer.path, error)
            self._writer = None
            with contextlib.suppress(OSError):  # it has failed already, and that is told
                writer.close()

    def _warn(self, path: Path, error: OSError | ValueError) -> None:
        if self.trace.warning.startswith(_NOT_SAVED):
            return  # what failed first is why the rest did
        self.trace.warning = (
            f"{_NOT_SAVED}: {getattr(error, 'strerror', None) or error} ({path.parent.name}/{path.name}). "
            "It is still in memory: run.save('…') writes it elsewhere."
        )


_NOT_SAVED = "the trace is not saved"


def _matters(event: Event) -> bool:
    """Whether what happened is to survive a power cut in the next second: the run's begin and end, its answer, a limit
    that was reached."""
    match event:
        case RunStarted() | RunFinished():
            return True
        case CallFinished():
            return event.call_id == "0"
        case ModelAsked():
            return bool(event.last)
    return False


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
