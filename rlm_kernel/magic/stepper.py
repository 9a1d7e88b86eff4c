"""`Stepper`: asks the person at the keyboard about each block that is held, where there are no buttons for it.

Everything here is on the cell's own thread.
"""

from __future__ import annotations

import time

from IPython.core.error import StdinNotImplementedError, UsageError

from rlm_kernel.run import Run
from rlm_kernel.text import visible

PATIENCE_SECONDS = 3.0
"""How long a front end that is connected may take to show its buttons, before the question is asked here."""
_CHOICES = "[r]un it, [e]dit it, [s]kip it, run [a]ll that follow, s[t]op: "
_END = "."


class Stepper:
    """Asks about the blocks of one run. `buttons` says that a front end is there which may have some."""

    def __init__(self, run: Run, *, buttons: bool) -> None:
        self._run = run
        self._patience = PATIENCE_SECONDS if buttons else 0.0
        self._since: float | None = None

    def asks(self) -> bool:
        """Whether a block has waited long enough to be asked about here."""
        if not self._run.waiting:
            self._since = None
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= self._patience

    def ask(self) -> None:
        """Asks about each block that waits. Raises `UsageError` where nobody can be asked; Ctrl-C comes through."""
        for (call_id, turn, block), code in self._run.waiting:
            print(f"Block {block} of turn {turn} of call {call_id}:\n{visible(code)}")
            try:
                self._decide((call_id, turn, block))
            except StdinNotImplementedError:
                self._run.stop()
                raise UsageError(
                    "--step asks before each block, and nobody can be asked here: run the cell in a notebook, or without --step"
                ) from None

    def _decide(self, place: tuple[str, int, int]) -> None:
        while True:
            match input(_CHOICES).strip().lower()[:1]:
                case "r" | "":
                    self._run.decide(*place)
                case "e":
                    self._run.decide(*place, "edited", _typed())
                case "s":
                    self._run.decide(*place, "skipped")
                case "a":
                    self._run.step_no_more()
                case "t":
                    self._run.stop()
                case _:
                    continue
            return


def _typed() -> str:
    print(f"The code that is to run instead; a line with only {_END!r} ends it.")
    lines: list[str] = []
    while (line := input()) != _END:
        lines.append(line)
    return "\n".join(lines)


__all__ = ["PATIENCE_SECONDS", "Stepper"]
