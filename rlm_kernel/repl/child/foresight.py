"""`Foresight`: what a replayed block will be told, so that it need not wait for the engine at each sub-call.

The engine still hears of every sub-call and records it. Threads get their answers in the order in which they once got
them: each when the one before has taken effect (or a moment later).
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque

from rlm_kernel.repl.child.lanes import Turnstile

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from rlm_kernel.repl.child.lanes import Lane

PATIENCE_SECONDS = 0.5
"""How long an answer is kept back for one that came before it: code that does something else this time may never ask
for that."""


class _Told:
    """What was asked at once, and what it was answered; `rank` is when, among those of the block."""

    def __init__(self, item: dict[str, Any], rank: int) -> None:
        self.results: list[dict[str, Any]] = item["results"]
        self.rank = rank
        self.given = False


class Foresight:
    """Results by what is asked and by whom, each given once, those of equals in their order. `model` answers where none
    is named; `told` is in the order in which it was told."""

    def __init__(self, model: str = "", told: list[dict[str, Any]] | None = None) -> None:
        self._model = model
        self._alike: dict[Any, deque[_Told]] = defaultdict(deque)
        self._mine: dict[Any, deque[_Told]] = defaultdict(deque)
        for rank, item in enumerate(told or []):
            asked = item["model"], item["batched"], tuple(item["prompts"])
            each = _Told(item, rank)
            self._alike[asked].append(each)
            self._mine[item["lane"], asked].append(each)
        self._turns = threading.Condition()
        self._next = 0
        self._turnstile = Turnstile()

    def take(
        self, prompts: list[str], model: str | None, *, batched: bool, lane: Lane
    ) -> list[dict[str, Any]] | None:
        """What these prompts are answered; None where that is not known. Blocks a thread until it is its turn."""
        if not self._alike:
            return None
        asked = self._model if model is None else model, batched, tuple(prompts)
        with self._turns:
            told = self._first(self._mine.get((lane.name, asked))) or self._first(self._alike.get(asked))
            if told is None:
                return None
            told.given = True
            self._turns.wait_for(lambda: self._next >= told.rank, PATIENCE_SECONDS)
            lane.settle()
            self._turnstile.let_out(lane)
            self._next = max(self._next, told.rank + 1)
            self._turns.notify_all()
        return told.results

    def _first(self, waiting: deque[_Told] | None) -> _Told | None:
        while waiting:
            told = waiting.popleft()
            if not told.given:
                return told
        return None


__all__ = ["Foresight"]
