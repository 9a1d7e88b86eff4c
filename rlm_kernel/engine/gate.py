"""`Gate`: where blocks wait for a person, who has each run, changed, or skipped. Runs on the engine's loop thread."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rlm_kernel.engine.limits import Ledger
from rlm_kernel.trace import BlockHeld, Decision, Recorder

Place = tuple[str, int, int]
"""A call, a turn of it, a block of that: they count from 1."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What is to become of a block, and the code that is then meant."""

    decision: Decision
    code: str


@dataclass(frozen=True)
class _Held:
    code: str
    answer: asyncio.Future[Decided]


class Gate:
    """The blocks of one run that wait. A gate that is not `closed` lets every block through."""

    def __init__(self, recorder: Recorder, ledger: Ledger, *, closed: bool) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self._closed = closed
        self._waiting: dict[Place, _Held] = {}

    async def pass_through(self, place: Place, code: str) -> Decided:
        """What a person decides about the block; at once where nobody is asked. The run's time stands still."""
        if not self._closed:
            return Decided(decision="", code=code)
        call_id, turn, block = place
        held = self._waiting[place] = _Held(code, asyncio.get_running_loop().create_future())
        self._recorder.record(BlockHeld(call_id=call_id, turn=turn, block=block, code=code))
        try:
            with self._ledger.standing_still():
                return await held.answer
        finally:
            del self._waiting[place]

    @property
    def waiting(self) -> list[tuple[Place, str]]:
        """The blocks that wait now, each with its code, in the order in which they came."""
        return [(place, held.code) for place, held in self._waiting.items() if not held.answer.done()]

    def decide(self, place: Place, decision: Decision, code: str | None = None) -> bool:
        """Whether a block was waiting there, which now goes on; `code` is what runs instead of its own."""
        held = self._waiting.get(place)
        if held is None or held.answer.done():
            return False
        if not decision and code not in (None, held.code):
            decision = "edited"
        held.answer.set_result(Decided(decision=decision, code=held.code if code is None else code))
        return True

    def open(self) -> None:
        """Lets every block through from now on, those that wait too."""
        self._closed = False
        for place in list(self._waiting):
            self.decide(place, "")


__all__ = ["Decided", "Gate", "Place"]
