"""`Stage`: what surrounds the blocks of a worker: its `__main__`, streams, builtins, signals and work directory, made anew
for each block whatever the one before did to them."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import types

from rlm_kernel.repl.child import lanes
from rlm_kernel.repl.child.pristine import Pristine
from rlm_kernel.repl.child.refused import no_input, refuse_processes
from rlm_kernel.repl.child.rich import Gallery
from rlm_kernel.repl.child.streams import Streams

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Stage:
    """Takes over the process. `variables` is the namespace of its blocks, `gallery` what they show."""

    def __init__(self, workdir: str) -> None:
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.variables: dict[str, Any] = module.__dict__
        self.gallery = Gallery()
        self._workdir = workdir
        refuse_processes()
        # A builtin, not a name of the contract: code written for notebooks calls it, and may well define its own.
        self._pristine = Pristine({"display": self.gallery.display, "input": no_input})
        self._streams = Streams()

    def set(self, name: str, on_interrupt: Callable[..., None]) -> list[str]:
        """Makes everything ready for the block of that name; the notes say what was in the way."""
        notes = self._pristine.restore()  # a thread of the block before may have gone on
        self.variables["__builtins__"] = builtins
        self.gallery.renew()
        lanes.begin_block(name)
        self._streams.renew()
        signal.signal(signal.SIGINT, on_interrupt)
        os.makedirs(self._workdir, exist_ok=True)
        os.chdir(self._workdir)
        return notes

    def echo(self, value: Any) -> None:
        """Shows the value of a block's last expression."""
        print(repr(value))
        self.gallery.add(value)

    def clear(self) -> list[str]:
        """Puts back what a block changed of what it shares with the worker's own code; the notes say what."""
        notes = self._pristine.restore()
        self._streams.flush()
        return notes


__all__ = ["Stage"]
