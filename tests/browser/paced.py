"""A model server whose turns wait until a test lets them go, so that a run stands still where a test looks at it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from server import Answer

WAIT_SECONDS = 60


class Paced:
    """A script: the n-th request of an rlm call gets the n-th of `turns`, once `go` let it; a plain one gets `llm`."""

    def __init__(self, turns: Sequence[str], llm: str | Answer) -> None:
        self._turns = turns
        self._llm = llm
        self._gates = [threading.Event() for _ in turns]
        self._asked = -1
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> str | Answer:
        if body["messages"][0]["role"] != "system":
            return self._llm
        with self._lock:
            self._asked += 1
            number = self._asked
        self._gates[number].wait(WAIT_SECONDS)
        return self._turns[number]

    def go(self, *numbers: int) -> None:
        """Lets these turns be answered, counted from 1; all of them without numbers."""
        for number in numbers or range(1, len(self._gates) + 1):
            self._gates[number - 1].set()


def block(*lines: str) -> str:
    """A reply with a block of code."""
    return "```repl\n" + "\n".join(lines) + "\n```"


LOOK = block("print(len(context))")
BATCH = block("found = llm_query_batched([f'Rate {paper}' for paper in context])")
ANSWER = block("answer['content'] = found[0]", "answer['ready'] = True")
FINE = "The finding is fine"
PAPERS = "papers = ['one', 'two', 'three', 'four']"


def question(url: str, asks: str = "What's the finding?") -> str:
    """A cell that asks a question about the papers."""
    return f"%%rlm papers -o run --model small --base-url {url}\n{asks}"
