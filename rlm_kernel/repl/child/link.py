"""The worker's end of the socket: blocks come down, sub-calls go up, answers come down.

A reader thread takes frames off the socket and hands them to whoever waits: the main thread, which runs blocks,
or any thread that issued a sub-call. Answers are handed out one after the other, each when the one before has taken
effect (or a moment later), so that what threads of the code see is the order in which the engine sent them, and the
same again in a replay. When the engine is gone the socket ends, and the worker with it.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
from queue import SimpleQueue

from rlm_kernel.repl.child.lanes import Turnstile
from rlm_kernel.repl.frames import FrameParser, pack

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from rlm_kernel.repl.child.lanes import Lane


class Link:
    """Sends from any thread; only the reader thread receives."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
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
            self._socket.sendall(frame)

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
        while data := self._receive():
            for frame, _ in parser.feed(data):
                self._dispatch(frame)
        os._exit(0)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 18)
        except OSError:
            return b""

    def _dispatch(self, frame: dict[str, Any]) -> None:
        if frame["op"] == "reply":
            waiting = self._waiting.get(frame["number"])
            if waiting is not None:
                waiter, lane = waiting
                self._turnstile.let_out(lane)
                waiter.put(frame)
        else:
            self.orders.put(frame)


__all__ = ["Link"]
