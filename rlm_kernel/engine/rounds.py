"""`Rounds`: runs the blocks of each turn of one rlm call, and records what they did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rlm_kernel.engine import prompts
from rlm_kernel.engine.blocks import Parsed
from rlm_kernel.engine.gate import Decided
from rlm_kernel.engine.means import Means
from rlm_kernel.engine.spec import CallSpec, Outcome
from rlm_kernel.errors import LimitExceeded
from rlm_kernel.repl.base import BlockResult, SubcallBatch, SubcallResult
from rlm_kernel.trace import CodeExecuted, ErrorInfo, Status

_LEAST_SECONDS = 0.05
"""How often it is looked at least whether the run's time is over, where it stands still."""


@dataclass(kw_only=True)
class Round:
    """What the blocks of one turn did."""

    shown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()
    failed: bool = False
    outcome: Outcome | None = None

    @property
    def said(self) -> tuple[str, ...]:
        """What the model is told of it, in parts."""
        return (*self.shown, *(f"Note: {note}" for note in self.notes))


class Rounds:
    """`content` is what `answer["content"]` last was; `opened` is the opening of the REPL."""

    def __init__(self, spec: CallSpec, means: Means, opened: asyncio.Task[None]) -> None:
        self._spec = spec
        self._past = spec.past
        self._means = means
        self._opened = opened
        self.content = ""

    async def execute(self, turn: int, parsed: Parsed, *, last: bool = False) -> Round:
        """Runs the blocks in order, up to one that fails or answers."""
        done = Round(notes=list(parsed.notes), failed=not parsed.blocks)
        self._means.subcalls.begin_turn(turn)
        await (self._opened if last else self._means.until(self._opened))
        if self._opened.done():
            self._opened.result()
        for number, code in enumerate(parsed.blocks, 1):
            if self._means.hurry.is_set() and not last:
                done.notes.append(f"Block {number} did not run, nor any after it.")
                break
            await self._step(done, turn, number, code, last=last)
            if done.outcome or done.failed:
                skipped = len(parsed.blocks) - number
                if done.failed and skipped:
                    done.notes.append(f"Block {number} failed, so the {skipped} after it did not run.")
                break
        await self._past.look(turn, self._means.repl)
        return done

    async def _step(self, done: Round, turn: int, number: int, code: str, *, last: bool) -> None:
        decided = await self._decided(turn, number, code)
        if decided.decision == "skipped":
            result = BlockResult()
            done.shown.append(self._record(turn, number, decided, result, None))
            return
        result, shown = await self._block(turn, number, decided, last=last)
        done.shown.append(shown)
        self._take(done, result, last=last)

    async def _decided(self, turn: int, number: int, code: str) -> Decided:
        then = self._past.decided(turn, number)
        if then is not None:
            return Decided(decision=then[0], code=then[1])
        if self._past.follows(turn):
            return Decided(decision="", code=code)
        return await self._means.gate.pass_through((self._spec.id, turn, number), code)

    def _take(self, done: Round, result: BlockResult, *, last: bool) -> None:
        submission = result.submission
        done.names = result.names
        done.failed = result.error is not None
        self.content = submission.content or self.content
        if submission.ready:
            status: Status = "exhausted" if last else "finished"
            how = f"{submission.how}, in the last turn" if last else submission.how
            done.outcome = Outcome(status=status, answer=submission.content, how=how)

    async def _block(
        self, turn: int, number: int, decided: Decided, *, last: bool
    ) -> tuple[BlockResult, str]:
        async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
            if last:
                batch.close()
                raise LimitExceeded("no sub-calls in the last turn", limit="last turn", used=0, allowed=0)
            return clean(await self._means.subcalls.serve(self._without_secrets(batch), number))

        clean = self._means.recorder.clean
        repl, name = self._means.repl, f"<rlm:{self._spec.id}.{turn} block {number}>"
        plain = self._means.subcalls.are_plain(number)
        work = asyncio.ensure_future(
            repl.execute(
                decided.code,
                name=name,
                serve=serve,
                plain_children=plain,
                foreseen=self._past.foreseen(turn, number),
                model=self._means.subcalls.llm_model,
            )
        )
        then = self._past.cut(turn, number)
        try:
            if last:
                await asyncio.wait((work,))
            else:
                await self._until(work, then[0] if then else None)
            while not work.done():
                # Said again and again: a worker that is just being replaced does not hear it the first time.
                repl.stop(then[1] if then else self._why_cut())
                await asyncio.wait((work,), timeout=0.1)
            result = clean(work.result())
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            error = ErrorInfo(type="Interrupted", message="the run was interrupted while this block ran")
            self._record(turn, number, decided, clean(repl.partial()), error)
            raise
        return result, self._record(turn, number, decided, result, result.error)

    def _without_secrets(self, batch: SubcallBatch) -> SubcallBatch:
        # Before anything is made of it, so that it is found again in the record, which has it without them.
        prompts = tuple(request.prompt for request in batch.requests)
        cleaned = self._means.recorder.clean(prompts)
        if cleaned is prompts:
            return batch
        pairs = zip(batch.requests, cleaned, strict=True)
        requests = [each if each.prompt is prompt else replace(each, prompt=prompt) for each, prompt in pairs]
        return replace(batch, requests=tuple(requests))

    async def _until(self, work: asyncio.Future[BlockResult], seconds: float | None) -> None:
        """Returns when the block is done, or has to be ended: after so many seconds, or as soon as the run's are over."""
        if seconds is not None:
            await self._means.until(work, seconds)
            return
        ledger, left = self._means.ledger, self._means.ledger.seconds_left
        while True:
            await self._means.until(work, left and max(left, _LEAST_SECONDS))
            left = ledger.seconds_left
            # Time stands still while a block of a child is held, and this one waits for the child.
            if work.done() or self._means.hurry.is_set() or not left:
                return

    def _why_cut(self) -> ErrorInfo:
        if self._means.hurry.is_set():
            return ErrorInfo(type="Interrupted", message="a person asked for the answer now")
        return ErrorInfo(type="TimeoutError", message="the time of the whole run is over")

    def _record(
        self, turn: int, number: int, decided: Decided, result: BlockResult, error: ErrorInfo | None
    ) -> str:
        shown = prompts.shown(number, result, self._means.settings.output_chars)
        shown = prompts.decided(number, decided.decision, decided.code, shown)
        self._means.recorder.record(
            CodeExecuted(
                call_id=self._spec.id,
                turn=turn,
                block=number,
                code=decided.code,
                stdout=result.stdout,
                stderr=result.stderr,
                stdout_chars=result.stdout_chars,
                shown=shown,
                error=error,
                variables=result.variables,
                outputs=result.outputs,
                seconds=result.seconds,
                decision=decided.decision,
                divergences=self._past.divergences(turn, number, decided.code, result, error),
            )
        )
        return shown


__all__ = ["Round", "Rounds"]
