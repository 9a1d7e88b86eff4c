"""Pipes that are read and written by threads, for systems whose event loops cannot: `Reader`, `Writer`, and `Tap`, which
is a `Stream` over a reader.

Whoever owns a reader keeps the writing end of its pipe too, and writes a mark into it to learn when everything before it
has been read, or to wake the reader for its end. So nothing depends on the other process closing its end.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from rlm_kernel.repl.output import Output

MARK_SECONDS = 1.0
"""How long a mark may take: what is in a pipe is read at once, but whoever writes to it may steal from it."""
_READ = 1 << 18


def start_thread(work: Callable[[], None], name: str) -> threading.Thread:
    """A thread in the caller's contextvars, so that a notebook knows which cell it belongs to."""
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(work,), name=name, daemon=True)
    thread.start()
    return thread


class Reader:
    """Calls `take` with the bytes of a pipe, in a thread of its own. `write_fd` is where the other process writes."""

    def __init__(self, take: Callable[[bytes], None], name: str) -> None:
        self._take = take
        self._read_fd, self.write_fd = os.pipe()
        self._lock = threading.Lock()
        self._mark = b""
        self._held = b""  # what may be the beginning of a mark
        self._seen = threading.Event()
        self._stopped = False
        start_thread(self._run, name)

    def flush(self, seconds: float = MARK_SECONDS) -> bool:
        """Returns when all that was written before has been taken; false when that is not so in time."""
        with self._lock:
            if self._stopped:
                return False
            mark = os.urandom(16)
            self._seen.clear()
            self._mark = mark
            try:
                _write_all(self.write_fd, mark)
                return self._seen.wait(seconds)
            finally:
                self._mark = b""

    def stop(self) -> None:
        """Ends the thread and gives the pipe back."""
        if self._stopped:
            return
        self._stopped = True
        self._seen.set()  # nobody waits for a mark any more
        with self._lock:
            with contextlib.suppress(OSError):
                os.write(self.write_fd, b"\0")
            os.close(self.write_fd)

    def _run(self) -> None:
        while True:
            data = os.read(self._read_fd, _READ)
            if self._stopped or not data:
                break
            self._split(data)
        os.close(self._read_fd)

    def _split(self, data: bytes) -> None:
        data, self._held = self._held + data, b""
        mark = self._mark
        before, found, after = data.partition(mark) if mark else (data, b"", b"")
        if mark and not found:
            before, self._held = data[: 1 - len(mark)], data[1 - len(mark) :]
        if before + after:
            self._take(before + after)
        if found:
            self._seen.set()


class Writer:
    """Writes what it is given to a pipe, in a thread of its own, and closes it in the end."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        start_thread(self._run, name)

    def write(self, data: bytes) -> None:
        """Returns at once; what nobody reads any more is dropped."""
        self._queue.put(data)

    def stop(self) -> None:
        """Closes the pipe when all is written."""
        self._queue.put(None)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the other end is gone
            while (data := self._queue.get()) is not None:
                _write_all(self._fd, data)
        with contextlib.suppress(OSError):
            os.close(self._fd)


class Tap:
    """A `Stream` that a thread fills. `on_flood` is called there, once, when a block wrote more than `limit` bytes."""

    def __init__(self, name: str, on_flood: Callable[[], None], limit: int) -> None:
        self._lock = threading.Lock()
        self._output = Output()
        self._on_flood = on_flood
        self._limit = limit
        self._reader = Reader(self._add, name)

    @property
    def write_fd(self) -> int:
        """Where the worker writes."""
        return self._reader.write_fd

    def renew(self) -> None:
        """Starts a new block's output."""
        with self._lock:
            self._output = Output()

    def read_all(self) -> None:
        """Takes everything that the worker wrote before it said `done`."""
        self._reader.flush()

    def text(self) -> tuple[str, int]:
        """What the block wrote so far; see `Output.text`."""
        with self._lock:
            return self._output.text()

    def stop(self) -> None:
        """Reads nothing more."""
        self._reader.stop()

    def _add(self, data: bytes) -> None:
        with self._lock:
            before = self._output.size
            self._output.add(data)
            flooded = before <= self._limit < self._output.size
        if flooded:
            self._on_flood()


def _write_all(fd: int, data: bytes) -> None:
    with memoryview(data) as view:
        sent = 0
        while sent < len(view):
            try:
                sent += os.write(fd, view[sent:])
            except BlockingIOError:  # whoever shares the pipe has said so
                os.set_blocking(fd, True)


__all__ = ["MARK_SECONDS", "Reader", "Tap", "Writer", "start_thread"]
