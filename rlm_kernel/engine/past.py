"""`Past`: the recorded call that a call follows, turn by turn, as far as it follows one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from rlm_kernel.engine.divergence import differing, divergences
from rlm_kernel.engine.foresight import foreseen
from rlm_kernel.engine.issued import Asked, Claim, Fingerprint, Issued, Unit
from rlm_kernel.engine.plan import EVERYTHING, UNFINISHED, Edit, Plan
from rlm_kernel.errors import NotReached, RLMError
from rlm_kernel.models import Model, Reply, Request
from rlm_kernel.repl.base import BlockResult, Foreseen, Repl
from rlm_kernel.trace import (
    Block,
    Call,
    CodeExecuted,
    Decision,
    Divergence,
    ErrorInfo,
    Message,
    ModelReplied,
    Turn,
)

_CUT = ("Interrupted", "TimeoutError")
_CUT_SLACK_SECONDS = 0.25
"""A block that is cut short again gets a little longer, so that it comes as far as it came."""
_SLACK_SECONDS = 1.0


class Past:
    """What the record says about one call; about a call that is not in it, nothing."""

    def __init__(
        self,
        plan: Plan,
        call: Call | None,
        unit: Unit | None = None,
        *,
        aside: bool = False,
        instead: bool = False,
    ) -> None:
        self._plan = plan
        self._call = call
        self._unit = unit
        # An edited call whose record is used aside, for another that asks the same as it did, is not edited there.
        self._edit = None if aside else plan.edit_of(call)
        self._stop = EVERYTHING if aside else plan.stop(call) if call is not None else 0
        if instead:  # another question in the place of this one: only what is the same in all is given again
            self._edit, self._stop = None, 0
        self._instead = instead

    @property
    def edit(self) -> Edit | None:
        """The edit, if it is in this call."""
        return self._edit

    # What the model is asked and says

    def follows(self, turn: int) -> bool:
        """Whether the record says how that turn went, and the call is to go the same way."""
        if self._call is None or turn >= self._stop:
            return False
        then = self._turn(turn)
        answered = then is not None and (then.reply is not None or len(then.asks) > 1)
        return answered or self._failed_in(self._call, turn)

    def gave_up(self, turn: int) -> bool:
        """Whether the call was asked for its last turn before that one had a reply."""
        then = self._turn(turn)
        return then is not None and len(then.asks) > 1 and self.follows(turn)

    def last(self, turn: int) -> str:
        """Why that turn was the call's last; empty when it was not."""
        then = self._turn(turn)
        return then.asks[-1].last if then and then.asks else ""

    def news(self, turn: int, *, last: bool) -> tuple[Message, ...] | None:
        """The messages that were added before that turn, where it is followed: in the wording of then."""
        then = self._turn(turn)
        if then is None or not then.asks or not self.follows(turn):
            return None
        return then.asks[-1 if last else 0].messages

    def hint(self, turn: int) -> str | None:
        """What a person wants the model to be told at that turn."""
        edit = self.edit
        return edit.hint if edit and edit.turn == turn else None

    def model(self, turn: int) -> Model | None:
        """The model that a person wants to answer that turn."""
        edit = self.edit
        return edit.model if edit and turn >= edit.turn else None

    async def answer(self, request: Request) -> Reply | None:
        """The reply, where it need not be asked for. Raises the `RLMError` of a recorded failure, `NotReached`."""
        turn, edit = request.turn, self.edit
        then = self._turn(turn)
        if edit and turn == edit.turn:
            self._plan.reached = True
            return None if edit.reply is None else _written(edit.reply, request)
        if self.follows(turn):
            return self._again(turn)
        if not self._plan.reached and self._call is not None and self._plan.on_path(self._call):
            raise NotReached(
                f"the code did something else this time, and call {self._call.id} came to turn {turn} without step "
                f"{self._plan.edit and self._plan.edit.step}: fork at an earlier step"
            )
        if then and then.reply and not then.reply.error and then.reply.request_hash == request.hash:
            return _recorded(then.reply)
        waited = self._never_came_back()
        if waited:
            await asyncio.sleep(waited)
        return None

    async def end_in_order(self) -> None:
        """Returns when the call may end: threads of the code may go by which result comes first."""
        if self._unit is not None:
            await self._unit.follow()

    # What its code does

    def decided(self, turn: int, number: int) -> tuple[Decision, str] | None:
        """What a person decided about that block, and the code that ran."""
        block = self._block(turn, number) if self.follows(turn) else None
        then = block.executed if block else None  # also of one that was then cut off
        return (then.decision, then.code) if then and then.decision else None

    def is_known(self, turn: int, number: int) -> bool:
        """Whether the record says what that block did, and it is to do the same again."""
        known = self._executed(turn, number)
        return known is not None and self._call is not None and not self._plan.passes(self._call, turn)

    def cut(self, turn: int, number: int) -> tuple[float, ErrorInfo] | None:
        """After how many seconds that block was ended from outside, and why."""
        then = self._executed(turn, number)
        if then is None or then.error is None or not _is_cut(then.error):
            return None
        return then.seconds + _CUT_SLACK_SECONDS, replace(then.error, traceback="")

    def foreseen(self, turn: int, number: int) -> tuple[Foreseen, ...]:
        """What that block will ask and be told, if it does as it did."""
        block = self._block(turn, number)
        return foreseen(block) if block is not None and self.is_known(turn, number) else ()

    def divergences(
        self, turn: int, number: int, code: str, result: BlockResult, error: ErrorInfo | None
    ) -> tuple[Divergence, ...]:
        """How the block differs from the recorded one."""
        then = self._executed(turn, number)
        if then is None or self._call is None or self._plan.passes(self._call, turn):
            return ()
        return (*divergences(then, code, result, error), *self._sub_calls(turn, number))

    def begin(self, turn: int) -> None:
        """Has sub-calls looked up among those of that turn from now on."""
        self._issued = Issued(self._turn(turn))
        self._found: Counter[int] = Counter()
        self._asked: Counter[int] = Counter()

    def claim(self, asked: Asked) -> tuple[Claim, list[Past]]:
        """Where new sub-calls stand, and the past of each."""
        claim = self._issued.claim(asked, self._plan.is_free)
        self._asked[asked.block] += len(asked.fingerprints)
        if claim.unit is not None:
            self._found[asked.block] += len(claim.unit.calls)
            for call in claim.unit.calls:
                self._plan.take(call)
            return claim, [Past(self._plan, call, claim.unit) for call in claim.unit.calls]
        return claim, [self._other(claim, index, each) for index, each in enumerate(asked.fingerprints)]

    def _other(self, claim: Claim, index: int, asked: Fingerprint) -> Past:
        call, aside = self._plan.another(asked)
        if call is not None or claim.place is None or index >= len(claim.place.calls):
            return Past(self._plan, call, aside=aside)
        before = claim.place.calls[index]
        if before.kind == "llm" or asked[0] == "llm":
            return Past(self._plan, None)
        self._plan.loosen(before)
        return Past(self._plan, before, instead=True)

    # What somebody wants to know

    async def look(self, turn: int, repl: Repl) -> None:
        """Hands out the variables after that turn, if they are what the run is for; then it goes no further."""
        wanted = self._plan.wanted
        if wanted is None or self._call is None or (wanted.call, wanted.turn) != (self._call.id, turn):
            return
        wanted.found.set_result(await repl.values(wanted.names))
        await asyncio.Event().wait()

    def is_wanted(self) -> bool:
        """Whether the run is only for seeing this call submitted."""
        wanted = self._plan.wanted
        return (
            wanted is not None
            and wanted.turn is None
            and self._call is not None
            and wanted.call == self._call.id
        )

    # What is in the record

    def _turn(self, number: int) -> Turn | None:
        if self._call is None:
            return None
        return next((turn for turn in self._call.turns if turn.number == number), None)

    def _block(self, turn: int, number: int) -> Block | None:
        then = self._turn(turn)
        return next((block for block in then.blocks if block.number == number), None) if then else None

    def _executed(self, turn: int, number: int) -> CodeExecuted | None:
        if self._call is None or not self.follows(turn):
            return None
        block = self._block(turn, number)
        done = block.executed if block else None
        return None if done is None or _is_cut_off(self._call, done) else done

    def _failed_in(self, call: Call, turn: int) -> bool:
        last = call.turns[-1].number if call.turns else 1
        return call.error is not None and turn == last

    def _again(self, turn: int) -> Reply:
        then = self._turn(turn)
        reply = then.reply if then else None
        error = reply.error if reply else self._call.error if self._call else None
        if error is not None:
            raise _error(error)
        assert reply is not None  # or the turn is not followed
        return _recorded(reply)

    def _sub_calls(self, turn: int, number: int) -> Iterator[Divergence]:
        then = self._turn(turn)
        before = sum(len(block.calls) for block in then.blocks if block.number == number) if then else 0
        found, asked = self._found[number], self._asked[number]
        if found != before or asked != found:
            yield differing("sub-calls", f"{before:,}", f"{found:,} of them, {asked - found:,} others")

    def _never_came_back(self) -> float:
        """How long the code ran that did not wait for the end of this call; 0 for a call that is to have one."""
        call = None if self._instead else self._call
        while call is not None and call.status == "interrupted" and call.parent and call.site:
            for block in call.parent.turn(int(call.id.split(".")[-2])).blocks:
                done = block.executed
                if block.number == call.site.block and done and not _is_cut_off(call.parent, done):
                    return done.seconds + _SLACK_SECONDS
            call = call.parent  # it was cut short with the call that it is in
        return 0.0


def _is_cut(error: ErrorInfo) -> bool:
    """Whether the block was ended from outside: its own errors are of these types too, but end with their names."""
    last = error.traceback.rstrip().rpartition("\n")[2]
    return error.type in _CUT and (not last or last.startswith("KeyboardInterrupt"))


def _is_cut_off(call: Call, done: CodeExecuted) -> bool:
    """Whether the block was still running when its run was stopped: it has to run to its end."""
    return call.status in UNFINISHED and done.error is not None and done.error.type == "Interrupted"


def _recorded(reply: ModelReplied) -> Reply:
    return Reply(
        text=reply.text,
        model=reply.model,
        usage=replace(reply.usage, requests=0),  # it costs nothing again
        finish_reason=reply.finish_reason,
        reasoning=reply.reasoning,
        mode="replayed",
        first_mode=reply.first_mode or reply.mode,
    )


def _written(text: str, request: Request) -> Reply:
    return Reply(text=text, model=request.model, mode="human")


def _error(info: ErrorInfo) -> RLMError:
    # The fields of its kind are not in the record; all of them have defaults.
    kinds, name = [RLMError], info.type
    for kind in kinds:
        kinds += kind.__subclasses__()
    kind = next((kind for kind in kinds if kind.__name__ == name), RLMError)
    error = kind.__new__(kind)
    error.args = (info.message,)
    return error


__all__ = ["Past"]
