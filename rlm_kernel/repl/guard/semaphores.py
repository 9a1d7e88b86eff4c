"""Semaphores for a process that can start no other: what multiprocessing uses where it only has threads to serve.

Its own are files in /dev/shm, where other processes' memory is, so guarded code cannot have them; but thread pools
(`multiprocessing.pool.ThreadPool`, and with it joblib and scikit-learn) are built from the same parts.
"""

from __future__ import annotations

import sys
import threading
import time

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

_MODULE = "_multiprocessing"
RECURSIVE_MUTEX = 0


class SemLock:
    """A semaphore or a recursive lock, with the interface of `_multiprocessing.SemLock`."""

    SEM_VALUE_MAX = 2**31 - 1
    name = None  # there is no file to be removed
    handle = 0

    def __init__(self, kind: int, value: int, maxvalue: int, name: str = "", unlink: bool = True) -> None:
        if not 0 <= value <= maxvalue:
            raise ValueError("invalid value")
        self.kind = kind
        self.maxvalue = maxvalue
        self._value = value
        self._changed = threading.Condition(threading.Lock())
        self._holder = 0
        self._held = 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Whether it is acquired; waits for it, up to that many seconds, unless told not to."""
        if self.kind == RECURSIVE_MUTEX and self._is_mine():
            self._held += 1
            return True
        with self._changed:
            if not self._wait(block, timeout):
                return False
            self._value -= 1
            self._held += 1
            self._holder = threading.get_ident()
            return True

    def release(self) -> None:
        """Lets the next one in. Raises `AssertionError`, `ValueError` where it is not held."""
        if self.kind == RECURSIVE_MUTEX:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._held > 1:
                self._held -= 1
                return
        with self._changed:
            if self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._value += 1
            self._held -= 1
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _wait(self, block: bool, timeout: float | None) -> bool:
        if not block:
            return self._value > 0
        if timeout is None:
            return self._changed.wait_for(lambda: self._value > 0)
        deadline = time.monotonic() + max(timeout, 0)
        while self._value == 0 and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
        return self._value > 0

    def _is_mine(self) -> bool:
        return self._held > 0 and self._holder == threading.get_ident()

    def _count(self) -> int:
        return self._held

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def _after_fork(self) -> None:
        self._held = 0


def install() -> None:
    """Gives multiprocessing these semaphores instead of its own, whether it is loaded or not."""
    module: Any = sys.modules.get(_MODULE)
    if module is None:
        module = sys.modules[_MODULE] = type(sys)(_MODULE)
    module.SemLock = SemLock
    module.sem_unlink = _forget
    module.flags = {"HAVE_SEM_OPEN": 1, "HAVE_SEM_TIMEDWAIT": 1}


def _forget(name: str) -> None:
    """Removes nothing: no semaphore has a name."""


__all__ = ["RECURSIVE_MUTEX", "SemLock", "install"]
