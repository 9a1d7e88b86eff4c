"""`RlmCall`: the loop of one rlm call. Ask the model, run its code, tell it what happened, until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rlm_kernel.engine import prompts
from rlm_kernel.engine.blocks import Parsed, parse, prose
from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.spec import CallSpec, Outcome
from rlm_kernel.engine.subcalls import Subcalls
from rlm_kernel.errors import LimitExceeded, NoAnswer
from rlm_kernel.models import Reply, Request
from rlm_kernel.repl.base import BlockResult, Repl, SubcallBatch, SubcallResult
from rlm_kernel.trace import CodeExecuted, ErrorInfo, Message, ModelAsked, Recorder, Status

Ask = Callable[..., Awaitable[Reply]]


@dataclass(kw_only=True)
class _Round:
    """What the blocks of one turn did."""

    shown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()
    failed: bool = False
    outcome: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class Means:
    """What an rlm call works with: where its code runs, who answers it, who makes its sub-calls, what limits it.

    `hurry` is set when somebody wants the answer now.
    """

    repl: Repl
    ask: Ask
    subcalls: Subcalls
    settings: Settings
    ledger: Ledger
    recorder: Recorder
    hurry: asyncio.Event


class RlmCall:
    """One rlm call: its namespace, its history, its turns."""

    def __init__(self, spec: CallSpec, means: Means) -> None:
        self._spec = spec
        self._means = means
        self._settings = means.settings
        self._history: list[Message] = []
        self._content = ""

    async def run(self) -> Outcome:
        """The outcome. Raises `ModelError`, `LimitExceeded`, `NoAnswer`, `ReplError`, `ContextError`."""
        repl = self._means.repl
        # The worker starts and loads the context while the model thinks about its first turn.
        self._opened = asyncio.create_task(repl.open())
        try:
            if self._spec.packed and self._spec.packed.route == "pickle":
                await self._opened  # a pickle may turn out not to load, and that should cost no request
            return await self._turns()
        finally:
            self._opened.cancel()
            await asyncio.gather(self._opened, return_exceptions=True)
            await repl.close()

    async def _turns(self) -> Outcome:
        errors, turn, news = 0, 1, self._opening()
        while True:
            try:
                reply = await self._reply(turn, news)
            except LimitExceeded as limit:
                if self._spec.depth > 0:
                    raise  # the limit is the whole run's, and only the root gets another request
                return await self._last(turn, (), f"{limit}")
            if reply is None:
                return await self._last(turn, (), prompts.HURRY)
            done = await self._execute(turn, parse(reply.text, reply.finish_reason))
            if done.outcome:
                return done.outcome
            errors = errors + 1 if done.failed else 0
            why = self._why_stop(turn, errors)
            turn += 1
            if why:
                return await self._last(turn, (*done.shown, *_notes(done)), why)
            news = (Message(role="user", content=self._observation(done, turn)),)

    def _opening(self) -> tuple[Message, ...]:
        spec, settings = self._spec, self._settings
        query = prompts.child_question(spec.prompt) if spec.prompt_is_context else spec.prompt
        card = spec.packed.card if spec.packed else None
        return (
            Message(role="system", content=prompts.system(settings, spec.depth)),
            Message(role="user", content=prompts.opening(query, card, settings)),
        )

    def _observation(self, done: _Round, turn: int) -> str:
        return prompts.observation((*done.shown, *_notes(done)), done.names, turn, self._settings.max_turns)

    def _why_stop(self, turn: int, errors: int) -> str:
        if self._means.hurry.is_set():
            return prompts.HURRY
        if self._means.ledger.seconds_left == 0:
            return f"The {self._settings.max_seconds:g} seconds of the run are over."
        if errors >= self._settings.max_errors:
            return f"{errors} turns in a row brought no working code."
        return "All turns are used." if turn >= self._settings.max_turns else ""

    async def _until(self, work: asyncio.Future[Any], seconds: float | None = None) -> None:
        """Returns when the work is done, when the time is over, or when somebody wants the answer now."""
        hurry = asyncio.create_task(self._means.hurry.wait())
        try:
            await asyncio.wait((work, hurry), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()

    async def _reply(self, turn: int, news: Sequence[Message]) -> Reply | None:
        """The reply, or None when somebody wanted the answer before it was there."""
        work = asyncio.create_task(self._ask(turn, news))
        try:
            await self._until(work)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        return None if work.cancelled() and self._means.hurry.is_set() else work.result()

    async def _ask(self, turn: int, news: Sequence[Message], *, last: bool = False) -> Reply:
        spec, settings = self._spec, self._settings
        self._history += news
        self._means.recorder.record(ModelAsked(call_id=spec.id, turn=turn, messages=tuple(news)))
        request = Request(
            messages=tuple(self._history),
            model=spec.model,
            call_id=spec.id,
            turn=turn,
            kind="rlm",
            temperature=settings.temperature,
            max_output_tokens=settings.max_output_tokens,
            seconds=settings.request_seconds,
        )
        reply = await self._means.ask(request, beyond_limits=last)
        self._history.append(Message(role="assistant", content=reply.text))
        return reply

    async def _execute(self, turn: int, parsed: Parsed, *, last: bool = False) -> _Round:
        done = _Round(notes=list(parsed.notes), failed=not parsed.blocks)
        self._means.subcalls.begin_turn(turn)
        await (self._opened if last else self._until(self._opened))
        if self._opened.done():
            self._opened.result()
        for number, code in enumerate(parsed.blocks, 1):
            if self._means.hurry.is_set() and not last:
                done.notes.append(f"Block {number} did not run, nor any after it.")
                break
            result, shown = await self._block(turn, number, code, last=last)
            done.shown.append(shown)
            self._take(done, result, last=last)
            if done.outcome or done.failed:
                skipped = len(parsed.blocks) - number
                if done.failed and skipped:
                    done.notes.append(f"Block {number} failed, so the {skipped} after it did not run.")
                break
        return done

    def _take(self, done: _Round, result: BlockResult, *, last: bool) -> None:
        submission = result.submission
        done.names = result.names
        done.failed = result.error is not None
        self._content = submission.content or self._content
        if submission.ready:
            status: Status = "exhausted" if last else "finished"
            how = f"{submission.how}, in the last turn" if last else submission.how
            done.outcome = Outcome(status=status, answer=submission.content, how=how)

    async def _block(self, turn: int, number: int, code: str, *, last: bool) -> tuple[BlockResult, str]:
        async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
            if last:
                raise LimitExceeded("no sub-calls in the last turn", limit="last turn", used=0, allowed=0)
            return await self._means.subcalls.serve(batch, number)

        repl, name = self._means.repl, f"<rlm:{self._spec.id}.{turn} block {number}>"
        work = asyncio.ensure_future(repl.execute(code, name=name, serve=serve))
        try:
            await (asyncio.wait((work,)) if last else self._until(work, self._means.ledger.seconds_left))
            while not work.done():
                # Said again and again: a worker that is just being replaced does not hear it the first time.
                repl.stop(self._why_cut())
                await asyncio.wait((work,), timeout=0.1)
            result = work.result()
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            error = ErrorInfo(type="Interrupted", message="the run was interrupted while this block ran")
            self._record(turn, number, code, repl.partial(), error)
            raise
        return result, self._record(turn, number, code, result, result.error)

    def _why_cut(self) -> ErrorInfo:
        if self._means.hurry.is_set():
            return ErrorInfo(type="Interrupted", message="a person asked for the answer now")
        return ErrorInfo(type="TimeoutError", message="the time of the whole run is over")

    def _record(self, turn: int, number: int, code: str, result: BlockResult, error: ErrorInfo | None) -> str:
        shown = prompts.shown(number, result, self._settings.output_chars)
        self._means.recorder.record(
            CodeExecuted(
                call_id=self._spec.id,
                turn=turn,
                block=number,
                code=code,
                stdout=result.stdout,
                stderr=result.stderr,
                stdout_chars=result.stdout_chars,
                shown=shown,
                error=error,
                variables=result.variables,
                outputs=result.outputs,
                seconds=result.seconds,
            )
        )
        return shown

    async def _last(self, turn: int, said: Sequence[str], why: str) -> Outcome:
        """The outcome of the one extra turn that a call gets, when a limit is reached or somebody is in a hurry."""
        outcome = await self._extra_turn(turn, said, why)
        return replace(outcome, how=f"{outcome.how}, as a person asked") if why == prompts.HURRY else outcome

    async def _extra_turn(self, turn: int, said: Sequence[str], why: str) -> Outcome:
        """What that turn gives, or what is left when it gives nothing."""
        ask = Message(role="user", content=prompts.last_turn(said, why))
        reply = await self._ask(turn, (ask,), last=True)
        parsed = parse(reply.text, reply.finish_reason)
        if parsed.blocks:
            done = await self._execute(turn, parsed, last=True)
            if done.outcome:
                return done.outcome
        elif parsed.plain and reply.finish_reason != "length":
            return Outcome(status="exhausted", answer=prose(reply.text), how="plain text of the last turn")
        if self._content.strip():
            return Outcome(
                status="exhausted", answer=self._content, how='answer["content"] when the run stopped'
            )
        raise NoAnswer(f"no answer: {why} The last turn gave none either.")


def _notes(done: _Round) -> list[str]:
    return [f"Note: {note}" for note in done.notes]


__all__ = ["Means", "RlmCall"]
