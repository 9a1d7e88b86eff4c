"""A worker that was started as an interpreter of its own: orders come over its standard input, frames go up a pipe."""

from __future__ import annotations

import os
import sys

from rlm_kernel.repl.child.link import Link
from rlm_kernel.repl.child.main import serve
from rlm_kernel.repl.frames import read_frame
from rlm_kernel.repl.guard.limits import die_with_parent
from rlm_kernel.repl.routes import decode

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any


def main(up: int) -> None:
    """Serves the engine; does not return. `up` is the number of the pipe that goes up."""
    down = _take_stdin()
    up = _file(up, os.O_WRONLY)
    order, _ = read_frame(down)
    if os.name == "posix":  # on Windows the job does it
        die_with_parent(order["parent"])
    context = _file(order["file"], os.O_RDONLY)
    serve(order, lambda: Link(down, up), lambda: _load(order, context))


def _take_stdin() -> int:
    """Where the orders come from; the code finds an empty standard input."""
    down = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return down


def _file(number: int, flags: int) -> int:
    """The descriptor of an open file that this process was given, and that those it starts do not get; -1 for none."""
    if number < 0:
        return number
    if sys.platform == "win32":
        import msvcrt

        os.set_handle_inheritable(number, False)
        return msvcrt.open_osfhandle(number, flags | os.O_BINARY)
    os.set_inheritable(number, False)
    return number


def _load(order: dict[str, Any], context: int) -> Any:
    value = decode(order["route"], context, order["size"])
    if context >= 0:
        os.close(context)
    return value


__all__ = ["main"]
