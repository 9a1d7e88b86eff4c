"""`Ledger`: the limits of a whole run, at any depth: reserved before something is asked, settled after.

Runs on the engine's loop thread, so nothing can come between looking and reserving.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.tokens import Reservation, Tokens
from rlm_kernel.errors import LimitExceeded
from rlm_kernel.models import Request


class Ledger:
    """What a run has used of what it may."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._start = clock()
        self._still = 0
        self._stood = 0.0
        self.calls = 0
        self._account = Tokens(settings.max_tokens)

    @property
    def tokens(self) -> int:
        """What requests have used, and what those may have used whose replies nobody has seen."""
        return self._account.spent

    @property
    def seconds(self) -> float:
        """How long the run has taken, without the time that it stood still."""
        now = self._stopped if self._still else self._clock()
        return now - self._start - self._stood

    @property
    def seconds_left(self) -> float | None:
        """How long it may still take; None without a limit."""
        limit = self._settings.max_seconds
        return None if limit is None else max(0.0, limit - self.seconds)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Lets no time pass for the run while somebody thinks about it."""
        if not self._still:
            self._stopped = self._clock()
        self._still += 1
        try:
            yield
        finally:
            self._still -= 1
            if not self._still:
                self._stood += self._clock() - self._stopped

    def take_calls(self, count: int, settings: Settings | None = None) -> None:
        """Counts sub-calls, all or none, by the limit of the run or of other `settings`. Raises `LimitExceeded` before
        any of them is made."""
        limit = (settings or self._settings).max_calls
        if limit is not None and self.calls + count > limit:
            left = limit - self.calls
            raise LimitExceeded(
                f"{count:,} sub-calls were asked for and {left:,} of {limit:,} are left in this run. "
                "Put more text into each prompt, or do it in Python.",
                limit="max_calls",
                used=self.calls,
                allowed=limit,
            )
        self.calls += count

    async def reserve(self, request: Request, *, beyond_limits: bool = False) -> Reservation:
        """The right to send the request, to be used as a context while it is under way; waits for room where requests
        under way have it. Raises `LimitExceeded`, with `beyond_limits` never: then it is counted all the same."""
        if not beyond_limits:
            self.check_time()
        return await self._account.reserve(request, beyond_limits=beyond_limits)

    def check_time(self) -> None:
        """Raises `LimitExceeded` when the run's time is over."""
        limit = self._settings.max_seconds
        if limit is not None and self.seconds >= limit:
            raise LimitExceeded(
                f"the run's {limit:g} s are over.", limit="max_seconds", used=self.seconds, allowed=limit
            )


__all__ = ["Ledger"]
