"""The one private event-loop thread that all engines, workers and connections of a process live on.

The user's thread is never part of it: a notebook cell waits for a future, so Ctrl-C reaches the cell at once and
can cancel the run from outside. The thread lives as long as the process, which is also what a worker needs of
the thread that starts it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
NAME = "rlm-engine"
HEAR_SECONDS = 0.25
_lock = threading.Lock()  # keeps two first runs from starting two threads
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def submit(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """A future of the coroutine, which runs on the engine thread in the caller's contextvars."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def tell(what: Callable[[], object]) -> None:
    """Calls the function on the engine thread, soon; returns at once."""
    _loop().call_soon_threadsafe(what)


def result_of(future: concurrent.futures.Future[T], seconds: float | None = None) -> T:
    """What the future gives, within so many seconds. Raises `TimeoutError`, and what the future raises.

    A Ctrl-C in the instant before a thread begins to wait is heard when the wait ends: so none lasts long.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while not future.done():
        left = HEAR_SECONDS if deadline is None else min(HEAR_SECONDS, deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError
        concurrent.futures.wait([future], timeout=left)
    return future.result()


def _loop() -> asyncio.AbstractEventLoop:
    # Keyed by process: a fork has the entry but not the thread.
    with _lock:
        if os.getpid() not in _loops:
            _loops[os.getpid()] = _start()
        return _loops[os.getpid()]


def _start() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(loop.run_forever,), name=NAME, daemon=True).start()
    return loop


__all__ = ["HEAR_SECONDS", "NAME", "result_of", "submit", "tell"]
