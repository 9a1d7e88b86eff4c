"""One request to a model: reserved, sent, recorded, settled. The only place where a model is called."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.outage import Outage
from rlm_kernel.engine.past import Past
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.tokens import Reservation
from rlm_kernel.errors import ModelError, RLMError
from rlm_kernel.models import Model, Reply, Request
from rlm_kernel.trace import ErrorInfo, Mode, ModelReplied, Recorder, redact_keys

_TOLD_CHARS = 300


class Asker:
    """Asks models for one run. `concurrency` requests at a time, the whole tree together."""

    def __init__(self, settings: Settings, ledger: Ledger, recorder: Recorder, outage: Outage) -> None:
        self._ledger = ledger
        self._outage = outage
        self._recorder = recorder
        self._slots = asyncio.Semaphore(settings.concurrency)

    async def ask(
        self, model: Model, request: Request, past: Past, *, name: str, beyond_limits: bool = False
    ) -> Reply:
        """The reply, recorded; the model is not asked for one that `past` has. Raises `LimitExceeded` before sending,
        `ModelError` after.

        `name` is what the model is called now; the record knows the request under the name that it has.
        `beyond_limits` is for the last turn of a call that reached a limit: it is counted but not refused.
        """
        started = time.monotonic()
        try:
            known = await past.answer(request)
        except ModelError as error:
            self._failed("replayed", request, started, error)
            raise
        if known is not None:
            self._record(request, known, known.mode or model.mode, started)
            return known
        async with self._slots:
            with await self._ledger.reserve(request, beyond_limits=beyond_limits) as reserved:
                reply = await self._send(model, reserved, name)
                reserved.settle(reply)
                return reply

    async def _send(self, model: Model, reserved: Reservation, name: str) -> Reply:
        request, started = reserved.request, time.monotonic()

        async def ask(each: Request) -> Reply:
            nonlocal started
            started = time.monotonic()  # a request that waited for its server did not take as long as that
            with reserved.attempt():
                return await model.reply(each if name == each.model else replace(each, model=name))

        try:
            reply = await (self._outage.send(request, ask) if model.mode == "live" else ask(request))
        except RLMError as error:
            self._failed(model.mode, request, started, error)
            raise
        except Exception as error:
            told = redact_keys(f"{type(error).__name__}: {error}"[:_TOLD_CHARS])
            wrapped = ModelError(told, model=request.model)
            self._failed(model.mode, request, started, wrapped)
            raise wrapped from error
        self._record(request, reply, reply.mode or model.mode, started)
        return reply

    def _record(self, request: Request, reply: Reply, mode: Mode, started: float) -> None:
        self._recorder.record(
            ModelReplied(
                call_id=request.call_id,
                turn=request.turn,
                text=reply.text,
                model=reply.model,
                mode=mode,
                seconds=time.monotonic() - started,
                request_hash=request.hash,
                usage=reply.usage,
                retries=reply.retries,
                finish_reason=reply.finish_reason,
                reasoning=reply.reasoning,
                first_mode=reply.first_mode,
            )
        )

    def _failed(self, mode: Mode, request: Request, started: float, error: RLMError) -> None:
        self._recorder.record(
            ModelReplied(
                call_id=request.call_id,
                turn=request.turn,
                text="",
                model=request.model,
                mode=mode,
                seconds=time.monotonic() - started,
                request_hash=request.hash,
                retries=error.retries if isinstance(error, ModelError) else 0,
                error=error_info(error),
            )
        )


def error_info(error: BaseException) -> ErrorInfo:
    """An exception of ours as data."""
    return ErrorInfo(type=type(error).__name__, message=str(error))


__all__ = ["Asker", "error_info"]
