"""`Means`: what an rlm call works with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from rlm_kernel.engine.gate import Gate
from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.subcalls import Subcalls
from rlm_kernel.models import Reply
from rlm_kernel.repl.base import Repl
from rlm_kernel.trace import Recorder

Ask = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Means:
    """Where the code of a call runs, who answers it, who makes its sub-calls, what limits it, who is asked first.

    `hurry` is set when somebody wants the answer now.
    """

    repl: Repl
    ask: Ask
    subcalls: Subcalls
    settings: Settings
    ledger: Ledger
    recorder: Recorder
    gate: Gate
    hurry: asyncio.Event

    async def until(self, work: asyncio.Future[Any], seconds: float | None = None) -> None:
        """Returns when the work is done, when the time is over, or when somebody wants the answer now."""
        hurry = asyncio.create_task(self.hurry.wait())
        try:
            await asyncio.wait((work, hurry), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()


__all__ = ["Ask", "Means"]
