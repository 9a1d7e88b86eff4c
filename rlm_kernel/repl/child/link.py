"""The worker's end of the line to the engine: blocks come down, sub-calls go up, answers come down.

A reader thread takes frames off the line and hands them to whoever waits: the main thread, which runs blocks,
or any thread that issued a sub-call. Answers are handed out one after the other, each when the one before has taken
effect (or a moment later), so that what threads of the code see is the order in which the engine sent them, and the
same again in a replay. When the engine is gone the line ends, and the worker with it.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from queue import SimpleQueue

from rlm_kernel.repl.child.failure import fail
from rlm_kernel.repl.child.lanes import Turnstile
from rlm_kernel.repl.frames import FrameParser, pack

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from rlm_kernel.repl.child.lanes import Lane


class Link:
    """Sends from any thread; only the reader thread receives. `fd` is a socket, or the pipe that comes down where `up`
    is the one that goes up."""

    def __init__(self, fd: int, up: int = -1) -> None:
        self._down = fd
        self._up = fd if up < 0 else up
        self._send_lock = threading.Lock()  # keeps the bytes of two frames apart
        self._waiting: dict[int, tuple[SimpleQueue[dict[str, Any]], Lane]] = {}
        self._turnstile = Turnstile()
        self._numbers = itertools.count()
        self.orders: SimpleQueue[dict[str, Any]] = SimpleQueue()
        threading.Thread(target=self._read, name="rlm-link", daemon=True).start()

    def send(self, data: dict[str, Any], blob: bytes = b"") -> None:
        """Sends one frame."""
        frame = pack(data, blob)
        with self._send_lock:
            sent = os.write(self._up, frame)
            while sent < len(frame):
                sent += os.write(self._up, memoryview(frame)[sent:])

    def ask(self, data: dict[str, Any], blob: bytes, lane: Lane) -> dict[str, Any]:
        """The engine's reply to a sub-call of that lane; blocks the calling thread, and only that one."""
        lane.settle()
        number = next(self._numbers)
        waiter: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._waiting[number] = waiter, lane
        try:
            self.send({**data, "number": number}, blob)
            return waiter.get()
        finally:
            del self._waiting[number]

    def _read(self) -> None:
        parser = FrameParser()
        try:
            while data := self._receive():
                for frame, _ in parser.feed(data):
                    self._dispatch(frame)
        except BaseException:  # noqa: BLE001 - out of memory, say: a worker that hears nothing is better gone
            fail()
        os._exit(0)

    def _receive(self) -> bytes:
        try:
            return os.read(self._down, 1 << 18)
        except OSError:
            return b""

    def _dispatch(self, frame: dict[str, Any]) -> None:
        if frame["op"] == "reply":
            waiting = self._waiting.get(frame["number"])
            if waiting is not None:
                waiter, lane = waiting
                self._turnstile.let_out(lane)
                waiter.put(frame)
        elif frame["op"] == "interrupt":
            _interrupt_main()
        else:
            self.orders.put(frame)


def _interrupt_main() -> None:
    """Raises SIGINT where the engine cannot: on Windows, and in tests that do as if."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # wakes it from a sleep
    else:
        signal.raise_signal(signal.SIGINT)


__all__ = ["Link"]
