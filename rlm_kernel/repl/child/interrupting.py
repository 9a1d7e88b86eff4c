"""`Gate`: lets one thread be interrupted while it runs a block, and at no other moment."""

from __future__ import annotations

import ctypes
import threading

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING = ctypes.py_object()  # a null pointer


class Gate:
    """Belongs to one thread, which runs its work through it; `interrupt` is for the others."""

    def __init__(self) -> None:
        self.thread = 0
        self._lock = threading.Lock()
        self._open = False

    def run(self, work: Callable[[], object]) -> None:
        """Does the work on the calling thread; it can be interrupted meanwhile."""
        self.thread = threading.get_ident()
        self._open = True
        try:
            work()
        finally:
            self.shut()

    def shut(self) -> None:
        """Returns when nothing can interrupt the calling thread any more, and nothing that was sent is still under way.
        To be called again where it was itself interrupted on its way in."""
        while True:
            try:
                with self._lock:
                    self._open = False
                _set(self.thread, _NOTHING)
            except KeyboardInterrupt:
                continue  # it was sent before the gate was shut, and the work is over
            return

    def interrupt(self) -> bool:
        """Raises `KeyboardInterrupt` in the thread as soon as it runs Python again; false when it runs no work."""
        with self._lock:
            if self._open:
                _set(self.thread, ctypes.py_object(KeyboardInterrupt))
            return self._open


def _set(thread: int, error: ctypes.py_object[type[BaseException]]) -> None:
    # A function object of our own: what others set on the shared one has no say here.
    ctypes.pythonapi["PyThreadState_SetAsyncExc"](ctypes.c_ulong(thread), error)


__all__ = ["Gate"]
