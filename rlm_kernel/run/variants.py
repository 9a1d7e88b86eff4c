"""`Variants`: one call of a run asked again, beside what it gave the first time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import RLMError
from rlm_kernel.trace import Original

if TYPE_CHECKING:
    from rlm_kernel.run.run import Run
    from rlm_kernel.views.variants import Agreement, VariantTable


class Variants:
    """`original` is what call `at` gave, `runs` are the times that it was asked again. Shows itself as a table."""

    def __init__(self, original: Original, runs: Sequence[Run], *, at: str) -> None:
        self.original = original
        self.runs = list(runs)
        self.at = at

    @property
    def answers(self) -> list[str | None]:
        """What each variant gave; None for one that failed or is under way."""
        return [run.answer for run in self.runs]

    @property
    def table(self) -> VariantTable:
        """The original and each variant, with what is different: answer, model, tokens, cost, seconds."""
        from rlm_kernel.views.variants import (
            variants,
        )  # slow to import, and a first question does not need it

        return variants(self.original, [run.trace for run in self.runs], call=self.at)

    @property
    def agreement(self) -> Agreement | None:
        """How many of the variants gave the same answer, spaces and case aside; None with fewer than two."""
        return self.table.agreement

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

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, number: int) -> Run:
        """The variant of that number, from 0."""
        return self.runs[number]

    def __str__(self) -> str:
        return self.table.text()

    def __repr__(self) -> str:
        return f"<{len(self.runs)} variants of call {self.at}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self.table._repr_mimebundle_()


__all__ = ["Variants"]
