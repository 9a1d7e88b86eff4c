"""`Outage`: where the requests of a run wait while their server is out, and one of them tries for all.

Nothing is lost meanwhile: every request keeps its place, the code that waits for it stands still, and so does the run's
time. Runs on the engine's loop thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from rlm_kernel.engine.limits import Ledger
from rlm_kernel.errors import (
    ModelError,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    ServerUnreachable,
    TimedOut,
)
from rlm_kernel.models import Reply, Request
from rlm_kernel.trace import ErrorInfo, Recorder, RunContinued, RunPaused

T = TypeVar("T")
Ask = Callable[[Request], Awaitable[Reply]]

FIRST_SECONDS = 1.0
"""Until the server is tried again; then twice as long each time."""
MOST_SECONDS = 30.0
DOUBTS = 3
"""A request may fail by its own fault, where it takes too long or the server stumbles over it. So many in a row do not."""
LAST_SECONDS = 10.0
"""How long a run that gives up waits for replies that are under way: they are paid for."""

_MOST_RETRY_AFTER = 60.0
_OWN_FAULTS = (500, 501)
_chance = Random()  # noqa: S311 - of its own, because the user's is not ours to draw from


@dataclass(kw_only=True)
class _Pause:
    since: float
    until: float
    error: ModelError
    retry_at: float = 0.0
    tries: int = 0
    told: str = ""


class Outage:
    """The requests of one run pass through `send`. `seconds` is how long it waits for a server at most (0: not at all);
    once `hurry` is set nothing waits any more."""

    def __init__(
        self, seconds: float, ledger: Ledger, recorder: Recorder, *, run_id: str, hurry: asyncio.Event
    ) -> None:
        self._seconds = seconds
        self._ledger = ledger
        self._recorder = recorder
        self._run_id = run_id
        self._hurry = hurry
        self._pause: _Pause | None = None
        self._still = ExitStack()
        self._prober = asyncio.Lock()
        self._go = asyncio.Event()
        self._waiting = 0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._met = False
        self._doubts = 0
        self._gone: ModelError | None = None
        self._over = asyncio.Event()

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """What the run's work gives. Raises the `ModelError` that ended all of it, where there is no use in going on;
        then the work was cancelled, and does not know of the error."""
        task = asyncio.ensure_future(work)
        over = asyncio.ensure_future(self._ended())
        try:
            await asyncio.wait((task, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._gone is not None and task.cancelled():
            raise self._gone
        return task.result()

    async def send(self, request: Request, ask: Ask) -> Reply:
        """The reply of `ask`, which is called again while the server is out. Raises `ModelError`."""
        while True:
            if self._gone is not None:
                await asyncio.Event().wait()  # until it is cancelled with the rest of the run
            if self._pause is not None:
                reply = await self._wait(request, ask)
                if reply is not None:
                    return reply
                continue
            try:
                return await self._try(request, ask)
            except ModelError as error:
                if isinstance(error, QuotaExhausted) and not self._hurry.is_set():
                    self._give_up(error, "")
                elif self._is_out(error, request):
                    self._begin(error, request)
                else:
                    raise

    def try_now(self) -> None:
        """Has the server tried at once, if it is waited for."""
        self._go.set()

    # While the server is out

    async def _wait(self, request: Request, ask: Ask) -> Reply | None:
        """The reply, where this request tried for all and got through; None where another one did."""
        self._waiting += 1
        try:
            async with self._prober:
                pause = self._pause
                if pause is None or self._gone is not None:
                    return None
                return await self._probe(pause, request, ask)
        finally:
            self._waiting -= 1
            if not self._waiting and self._gone is None:
                self._end("")  # nobody is left who would find out that it is over

    async def _probe(self, pause: _Pause, request: Request, ask: Ask) -> Reply | None:
        if pause.told != request.call_id:
            self._tell(pause, request)
        while True:
            await self._until(pause.retry_at)
            try:
                reply = await self._try(replace(request, retries=0), ask)
            except ModelError as error:
                if isinstance(error, QuotaExhausted):
                    self._give_up(error, "")
                    return None
                if not _lasts(error):
                    self._end(request.call_id)  # it answers again, if only to refuse
                    raise
                if self._now() >= pause.until:
                    self._give_up(error, f" The run paused for {self._seconds:g} s, and gave up.")
                    return None
                pause.error, pause.tries = error, pause.tries + 1
                self._tell(pause, request)
                continue
            self._end(request.call_id)
            return reply

    async def _until(self, at: float) -> None:
        self._go.clear()
        try:
            async with asyncio.timeout(max(0.0, at - self._now())):
                await self._go.wait()
        except TimeoutError:
            return

    async def _try(self, request: Request, ask: Ask) -> Reply:
        self._under_way += 1
        self._idle.clear()
        try:
            reply = await ask(request)
        except ModelError as error:
            self._met = self._met or error.status is not None
            self._doubts = self._doubts + 1 if _is_doubtful(error) else 0
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        self._met, self._doubts = True, 0
        self._go.set()  # one that was sent before came through: the server is back
        return reply

    def _is_out(self, error: ModelError, request: Request) -> bool:
        if not self._seconds or self._hurry.is_set() or not _lasts(error):
            return False
        if _is_doubtful(error):
            return self._doubts >= DOUBTS or (error.status is not None and request.call_id == "0")
        # Where nobody ever answered, the address is wrong rather than the server out, and nothing is lost yet.
        return self._met

    def _begin(self, error: ModelError, request: Request) -> None:
        if self._pause is not None:
            return
        now = self._now()
        self._pause = _Pause(since=now, until=now + self._seconds, error=error)
        self._still.enter_context(self._ledger.standing_still())
        self._tell(self._pause, request)

    def _tell(self, pause: _Pause, request: Request) -> None:
        now, error = self._now(), pause.error
        wait = min(FIRST_SECONDS * 2**pause.tries, MOST_SECONDS) * _chance.uniform(0.8, 1.2)
        wait = max(wait, min(error.retry_after or 0.0, _MOST_RETRY_AFTER))
        pause.retry_at, pause.told = min(now + wait, pause.until), request.call_id
        self._recorder.record(
            RunPaused(
                call_id=request.call_id,
                turn=request.turn,
                error=ErrorInfo(type=type(error).__name__, message=str(error)),
                retry_at=round(pause.retry_at, 3),
                until=round(pause.until, 3),
                tries=pause.tries,
            )
        )

    def _end(self, call_id: str) -> None:
        pause = self._pause
        if pause is None:
            return
        self._pause = None
        self._doubts = 0
        self._still.close()
        self._recorder.record(RunContinued(seconds=round(self._now() - pause.since, 3), call_id=call_id))

    def _now(self) -> float:
        return self._recorder.trace.now()

    # When there is no use in going on

    def _give_up(self, error: ModelError, why: str) -> None:
        if self._gone is not None:
            return
        message = f"{error}{why} %rlm resume {self._run_id} goes on where it stopped."
        gone = type(error)(message, model=error.model, status=error.status, retries=error.retries)
        gone.sent = error.sent
        self._gone = gone
        self._over.set()

    async def _ended(self) -> None:
        await self._over.wait()
        if self._under_way:
            try:
                async with asyncio.timeout(LAST_SECONDS):
                    await self._idle.wait()
            except TimeoutError:
                return


def _lasts(error: ModelError) -> bool:
    """Whether it is the server's state and not the request that made it fail."""
    return isinstance(error, RateLimited | ServerFailed | ServerUnreachable)


def _is_doubtful(error: ModelError) -> bool:
    return isinstance(error, TimedOut) or error.status in _OWN_FAULTS


__all__ = ["DOUBTS", "FIRST_SECONDS", "LAST_SECONDS", "MOST_SECONDS", "Outage"]
