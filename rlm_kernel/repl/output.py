"""What a worker writes to its standard streams: head and tail kept, everything counted."""

from __future__ import annotations

import os
from collections.abc import Callable

KEEP_BYTES = 100_000
_READ = 1 << 18


class Output:
    """Collects the bytes of one stream of one block."""

    def __init__(self) -> None:
        self.size = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        """Takes the next bytes; memory stays bounded."""
        self.size += len(data)
        room = KEEP_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 2 * KEEP_BYTES:
            del self._tail[:-KEEP_BYTES]

    def text(self) -> tuple[str, int]:
        """The text (its middle left out when it is long) and its true length in characters, near enough for
        output that is not ASCII and was cut."""
        tail = bytes(self._tail[-KEEP_BYTES:])
        dropped = self.size - len(self._head) - len(tail)
        if not dropped:
            whole = (bytes(self._head) + tail).decode("utf-8", "backslashreplace")
            return whole, len(whole)
        head, end = (part.decode("utf-8", "backslashreplace") for part in (bytes(self._head), tail))
        note = f"\n… {dropped:,} bytes left out …\n"
        return head + note + end, self.size


class Drain:
    """Empties a pipe into the current `Output`. Runs on the loop thread only."""

    def __init__(self, fd: int, on_flood: Callable[[], None], limit: int) -> None:
        self.fd = fd
        self.output = Output()
        self.open = True
        self._on_flood = on_flood
        self._limit = limit
        os.set_blocking(fd, False)

    def renew(self) -> None:
        """Starts a new block's output."""
        self.output = Output()

    def text(self) -> tuple[str, int]:
        """What the block wrote so far; see `Output.text`."""
        return self.output.text()

    def close(self) -> None:
        """Gives the pipe back; nothing more is read."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self.open = -1, False

    def read(self) -> bool:
        """Takes what is there; false when nothing was."""
        try:
            data = os.read(self.fd, _READ)
        except BlockingIOError:
            return False
        if not data:
            self.open = False
            return False
        before = self.output.size
        self.output.add(data)
        if before <= self._limit < self.output.size:
            self._on_flood()
        return True

    def read_all(self) -> None:
        """Takes everything a worker wrote before it said `done`: the pipe holds it already."""
        while self.open and self.read():
            continue


__all__ = ["KEEP_BYTES", "Drain", "Output"]
