"""A time limit that stands still while it is paused. Runs on the loop thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_EARLY = 0.001  # a timer can ring a little before its time


class Stopwatch:
    """Calls `on_end` once, after `seconds` of running time."""

    def __init__(self, seconds: float, on_end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._on_end = on_end
        self._handle: asyncio.TimerHandle | None = None
        self._running = False
        self._since = 0.0
        self.resume()

    def pause(self) -> None:
        """Stops the time; a second pause does nothing."""
        # The timer stays: each sub-call pauses, and one that rings early is cheaper than thousands that are made anew.
        if self._running:
            self._running = False
            self._left -= self._loop.time() - self._since

    def resume(self) -> None:
        """Lets the time go on; does nothing while it runs."""
        if not self._running and self._left > 0:
            self._running = True
            self._since = self._loop.time()
            if self._handle is None:
                self._handle = self._loop.call_later(self._left, self._ring)

    def stop(self) -> None:
        """Ends the watch without a call."""
        self._running, self._left = False, 0
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        if not self._running:
            return
        self.pause()
        if self._left > _EARLY:
            self.resume()
        else:
            self._left = 0
            self._on_end()


__all__ = ["Stopwatch"]
