"""A context on its way to a worker: its bytes in an unnamed file that the worker inherits, and its card."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.repl.content import content_hash
from rlm_kernel.repl.describe import describe
from rlm_kernel.repl.routes import encode
from rlm_kernel.trace import ContextCard


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A packed context: `fd` is an open file of `size` bytes, -1 when there is none; `route` says how to read it."""

    card: ContextCard
    route: str
    fd: int
    size: int

    def close(self) -> None:
        """Gives the bytes back. Workers that have read them are not affected."""
        if self.fd >= 0:
            os.close(self.fd)


def pack_context(value: Any, name: str = "context") -> Packed:
    """The value ready for a worker. Raises `ContextError` for what cannot move."""
    route, chunks = encode(value)
    card = describe(value, name)
    return store(route, chunks, card, content=content_hash(value) if route == "pickle" else "")


def store(route: str, chunks: Iterable[bytes], card: dict[str, Any], *, content: str = "") -> Packed:
    """Bytes that are already encoded, ready for a worker. Nothing in them is decoded. `content` is the hash of what is
    in them, where that of the bytes says more."""
    fd = -1 if route == "none" else _unnamed_file()
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(b"" if content else chunk)
        size += len(chunk)
        _write_all(fd, chunk)
    return Packed(card=ContextCard(**card, hash=content or digest.hexdigest()), route=route, fd=fd, size=size)


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rlm-context", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:  # where the system has no files in memory
        return os.dup(file.fileno())


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


__all__ = ["Packed", "pack_context", "store"]
