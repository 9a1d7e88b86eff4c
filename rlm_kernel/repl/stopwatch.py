"""A time limit that stands still while it is paused. Runs on the loop thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Stopwatch:
    """Calls `on_end` once, after `seconds` of running time."""

    def __init__(self, seconds: float, on_end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._on_end = on_end
        self._handle: asyncio.TimerHandle | None = None
        self._since = 0.0
        self.resume()

    def pause(self) -> None:
        """Stops the time; a second pause does nothing."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._left -= self._loop.time() - self._since

    def resume(self) -> None:
        """Lets the time go on; does nothing while it runs."""
        if self._handle is None and self._left > 0:
            self._since = self._loop.time()
            self._handle = self._loop.call_later(self._left, self._fire)

    def stop(self) -> None:
        """Ends the watch without a call."""
        self.pause()
        self._left = 0

    def _fire(self) -> None:
        self._handle, self._left = None, 0
        self._on_end()


__all__ = ["Stopwatch"]
