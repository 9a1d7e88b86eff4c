"""`decode`: a context from its bytes. For workers alone."""

from __future__ import annotations

import marshal
import mmap

from rlm_kernel.repl.routes import layout

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any


def decode(route: str, fd: int, size: int) -> Any:
    """The value in a file of `size` bytes. Runs in a worker only: it unpickles. What it gives may use the file's memory,
    as a copy of its own; the descriptor is needed no more."""
    if route == "none":
        return None
    if size == 0:
        return "" if route == "text" else b""
    if route == "pickle":
        return layout.load(fd, size)
    with mmap.mmap(fd, size, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
        if route == "text":
            return str(view, "utf-8", "surrogatepass")
        return bytes(view) if route == "bytes" else marshal.loads(view)


__all__ = ["decode"]
