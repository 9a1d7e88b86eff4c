"""`Variants`: one call of a run asked again, beside what it gave the first time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlm_kernel.errors import RLMError
from rlm_kernel.trace import Call

if TYPE_CHECKING:
    from rlm_kernel.run.run import Run


class Variants:
    """`original` is the call, `runs` are the times that it was asked again."""

    def __init__(self, original: Call, runs: Sequence[Run]) -> None:
        self.original = original
        self.runs = list(runs)

    @property
    def answers(self) -> list[str | None]:
        """What each variant gave; None for one that failed or is under way."""
        return [run.answer for run in self.runs]

    @property
    def agreement(self) -> float | None:
        """The share of the variants with an answer that gave the most frequent one, from 0 to 1, spaces and case aside;
        None with fewer than two."""
        given = [" ".join(answer.split()).casefold() for answer in self.answers if answer is not None]
        return None if len(given) < 2 else Counter(given).most_common(1)[0][1] / len(given)

    def wait(self) -> Variants:
        """These, when all have ended. Raises the `RLMError` of the first that failed when none has an answer, and
        `RunInterrupted` after Ctrl-C, which stops them all."""
        failed: list[RLMError] = []
        try:
            for run in self.runs:
                try:
                    run.finish()
                except RLMError as error:
                    failed.append(error)
        except KeyboardInterrupt:
            for run in self.runs:
                run.stop()
            raise
        if len(failed) == len(self.runs):
            raise failed[0]
        return self


__all__ = ["Variants"]
