"""A file without a name, for bytes that a worker is to read: written once, and then changed by nobody any more."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from typing import Any

from rlm_kernel.errors import ContextError

if sys.platform == "linux":
    import fcntl

_PIECE = 2**20


class UnnamedFile:
    """A value of that type. Written to, then taken, by its descriptor. Whoever has that cannot change what is in the file: the code in a worker
    can find it. Leave it before it is taken and nothing is left of it."""

    def __init__(self, type_name: str) -> None:
        self.size = 0
        self._type_name = type_name
        self._writable, self._readable = _made()

    def __enter__(self) -> UnnamedFile:
        return self

    def __exit__(self, *error: object) -> None:
        for fd in {self._writable, self._readable} - {-1}:
            os.close(fd)
        self._writable = self._readable = -1

    def write(self, data: Any) -> None:
        """Adds the bytes. Raises `ContextError` where there is no room for them."""
        with memoryview(data) as view:
            written = 0
            while written < view.nbytes:
                try:
                    written += os.write(self._writable, view[written:])
                except OSError as error:
                    raise self._no_room(error) from error
        self.size += written

    def _no_room(self, error: OSError) -> ContextError:
        return ContextError(
            f"there is no room for a copy of this {self._type_name} in the child namespace: after "
            f"{self.size / 1e6:,.0f} MB, {error.strerror}. Free some memory, or pass a part of it.",
            type_name=self._type_name,
        )

    def restart(self) -> None:
        """Takes back what has been written."""
        os.ftruncate(self._writable, 0)
        os.lseek(self._writable, 0, os.SEEK_SET)
        self.size = 0

    def digest(self) -> str:
        """The SHA-256 of the bytes. Nothing is written after."""
        digest = hashlib.sha256()
        os.lseek(self._readable, 0, os.SEEK_SET)
        while piece := os.read(self._readable, _PIECE):
            digest.update(piece)
        return digest.hexdigest()

    def take(self) -> int:
        """The descriptor to read it by; it is the caller's."""
        _seal(self._writable)
        taken, self._readable = self._readable, -1
        if self._writable == taken:
            self._writable = -1
        return taken


if sys.platform == "linux":

    def _made() -> tuple[int, int]:
        """Descriptors to write and to read one new file by: the same one, as it can be sealed."""
        fd = os.memfd_create("rlm-context", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        return fd, fd

    def _seal(fd: int) -> None:
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)

elif sys.platform == "win32":

    def _made() -> tuple[int, int]:
        """The same descriptor twice: a file that is to vanish cannot be opened again."""
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
            return fd, fd

    def _seal(fd: int) -> None:
        """A worker has its own copy of the descriptor, and there is no way to hold it to reading."""

else:

    def _made() -> tuple[int, int]:
        """Descriptors to write and to read one new file by."""
        with tempfile.NamedTemporaryFile() as file:
            return os.dup(file.fileno()), os.open(file.name, os.O_RDONLY | os.O_CLOEXEC)

    def _seal(fd: int) -> None:
        """The descriptor that others get cannot be written to."""


__all__ = ["UnnamedFile"]
