"""`Plan`: what of a recorded run is done again, and where it goes another way.

Up to the step that an edit changes, a call follows its record: each turn gets the recorded reply and its code runs
again. From there on a recorded reply is given only to exactly the request that it answered. Calls that do not depend
on the edit are found by what they ask, and follow their record too.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from rlm_kernel.engine.issued import Fingerprint, fingerprint
from rlm_kernel.models import Model
from rlm_kernel.trace import Call, Step, Trace

EVERYTHING = math.inf
UNFINISHED = ("interrupted", "cut off", "running")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The change at the step where a fork leaves its record. `turn` is 1 for a call as a whole.

    `reply` is what the model is taken to have said; `hint` is told to it; `prompt` replaces the call's; `model` answers
    from there on.
    """

    step: Step
    reply: str | None = None
    hint: str | None = None
    prompt: str | None = None
    model: Model | None = None

    @property
    def turn(self) -> int:
        """The turn that is changed."""
        return self.step.turn.number if self.step.turn else 1


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What somebody wants to know of a run that is replayed only for that: the call as it was submitted (without
    `turn`), or its variables after that turn. `found` gets it, and the run goes no further."""

    call: str
    turn: int | None
    found: asyncio.Future[Any]
    names: tuple[str, ...] | None = None


class Plan:
    """One plan is for one run. Use on the engine's loop thread only."""

    def __init__(
        self,
        record: Trace | None = None,
        *,
        edit: Edit | None = None,
        resume: bool = False,
        wanted: Wanted | None = None,
    ) -> None:
        self.edit = edit
        self.wanted = wanted
        self.reached = edit is None
        self._resume = resume
        self._root = record.root if record else None
        self._taken: set[str] = set()
        self._asked_anew = False
        self._loosened: set[str] = set()
        self._path = _path(edit.step) if edit else {}
        self._through = {call_id: stop - 1 for call_id, stop in list(self._path.items())[1:]}
        self._alike: dict[Fingerprint, list[Call]] = defaultdict(list)
        for call in record.walk() if record else ():
            self._alike[fingerprint(call)].append(call)

    @property
    def root(self) -> Call | None:
        """The recorded root."""
        return self._root

    def stop(self, call: Call) -> float:
        """The first turn of the call at which it does not simply follow its record."""
        if call.id in self._path:
            return self._path[call.id]
        if self._resume and (call.depth == 0 or call.status in UNFINISHED):
            return _frontier(call)
        return EVERYTHING

    def loosen(self, call: Call) -> None:
        """Says that something else is asked in the place of the call: what it issued is for whoever asks the same."""
        self._loosened.add(call.id)

    def on_path(self, call: Call) -> bool:
        """Whether the edited step is in the call or below it."""
        return call.id in self._path

    def passes(self, call: Call, turn: int) -> bool:
        """Whether the edited step is below that turn: what its code then does is not to be as it was."""
        return self._through.get(call.id) == turn

    def edit_of(self, call: Call | None) -> Edit | None:
        """The edit, if it is in the call itself."""
        return self.edit if call is not None and self.edit and self.edit.step.call is call else None

    def take(self, call: Call) -> None:
        """Says that the call has been found again."""
        if self._asks_anew(call):
            self._asked_anew = True  # what it was told the first time is still there for whoever asks that
        else:
            self._taken.add(call.id)

    def is_free(self, call: Call) -> bool:
        """Whether the call has not been found yet."""
        return call.id not in self._taken

    def another(self, asked: Fingerprint) -> tuple[Call | None, bool]:
        """A recorded call that asked the same and that nobody else will ask for; and whether it is the edited one, of
        which only the record is meant."""
        for call in self._alike.get(asked, ()):
            if self.is_free(call) and self._is_loose(call):
                aside = self._asks_anew(call) and self._asked_anew
                if aside:
                    self._taken.add(call.id)
                else:
                    self.take(call)
                return call, aside
        return None, False

    def _is_loose(self, call: Call) -> bool:
        # What a turn issued that is followed will be asked for there.
        if self._asks_anew(call) and self._asked_anew:
            return True
        turn = int(call.id.split(".")[-2]) if call.parent else 0
        parent = call.parent
        return parent is not None and (parent.id in self._loosened or turn >= self.stop(parent))

    def _asks_anew(self, call: Call) -> bool:
        edit = self.edit_of(call)
        return edit is not None and edit.prompt is not None


def _path(step: Step) -> dict[str, int]:
    # A turn that issued the edited call is followed; the turns after it see what became of the edit.
    path = {step.call.id: step.turn.number if step.turn else 1}
    call_id = step.call.id
    while "." in call_id:
        call_id, turn, _ = call_id.rsplit(".", 2)
        path[call_id] = int(turn) + 1
    return path


def _frontier(call: Call) -> float:
    # A last turn is not repeated: whoever resumes wants the run to go on. Nor is the failure that ended it.
    for turn in call.turns:
        fatal = call.depth == 0 and turn.reply is not None and turn.reply.error is not None
        if fatal or (turn.asks and turn.asks[-1].last):
            return turn.number
    return EVERYTHING


__all__ = ["EVERYTHING", "UNFINISHED", "Edit", "Plan", "Wanted"]
