"""`RlmCall`: the loop of one rlm call. Ask the model, run its code, tell it what happened, until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from rlm_kernel.engine import prompts
from rlm_kernel.engine.blocks import parse, prose
from rlm_kernel.engine.means import Means
from rlm_kernel.engine.rounds import Round, Rounds
from rlm_kernel.engine.spec import CallSpec, Outcome
from rlm_kernel.errors import LimitExceeded, ModelError, NoAnswer
from rlm_kernel.models import Reply, Request
from rlm_kernel.trace import Message, ModelAsked


class RlmCall:
    """One rlm call: its history and its turns. Where it follows a record, that says how each turn went."""

    def __init__(self, spec: CallSpec, means: Means) -> None:
        self._spec = spec
        self._past = spec.past
        self._means = means
        self._settings = means.settings
        self._history: list[Message] = []

    async def run(self) -> Outcome:
        """The outcome. Raises `ModelError`, `LimitExceeded`, `NoAnswer`, `NotReached`, `ReplError`, `ContextError`."""
        repl = self._means.repl
        # The worker starts and loads the context while the model thinks about its first turn.
        opened = asyncio.create_task(repl.open())
        self._rounds = Rounds(self._spec, self._means, opened)
        try:
            if self._spec.packed and self._spec.packed.route == "pickle":
                await opened  # a pickle may turn out not to load, and that should cost no request
            return await self._turns()
        finally:
            opened.cancel()
            await asyncio.gather(opened, return_exceptions=True)
            await repl.close()

    async def _turns(self) -> Outcome:
        errors, turn, news = 0, 1, self._opening()
        while True:
            if self._past.gave_up(turn):
                self._add(turn, self._past.news(turn, last=False) or news)
                return await self._last(turn, (), self._past.last(turn))
            try:
                reply = await self._reply(turn, news)
            except LimitExceeded as limit:
                if self._spec.depth > 0:
                    raise  # the limit is the whole run's, and only the root gets another request
                return await self._last(turn, (), f"{limit}")
            if reply is None:
                return await self._last(turn, (), prompts.HURRY)
            done = await self._rounds.execute(turn, parse(reply.text, reply.finish_reason))
            if done.outcome:
                return done.outcome
            errors = errors + 1 if done.failed else 0
            why = self._why_stop(turn, errors)
            turn += 1
            if why:
                return await self._last(turn, done.said, why)
            news = (Message(role="user", content=self._observation(done, turn)),)

    def _opening(self) -> tuple[Message, ...]:
        spec, settings = self._spec, self._settings
        query = prompts.child_question(spec.prompt) if spec.prompt_is_context else spec.prompt
        card = spec.packed.card if spec.packed else None
        return (
            Message(role="system", content=prompts.system(settings, spec.depth)),
            Message(role="user", content=prompts.opening(query, card, settings)),
        )

    def _observation(self, done: Round, turn: int) -> str:
        return prompts.observation(done.said, done.names, turn, self._settings.max_turns)

    def _why_stop(self, turn: int, errors: int) -> str:
        if self._means.hurry.is_set():
            return prompts.HURRY
        if self._past.follows(turn + 1):
            return self._past.last(turn + 1) if not self._past.gave_up(turn + 1) else ""
        if self._means.ledger.seconds_left == 0:
            return f"The {self._settings.max_seconds:g} seconds of the run are over."
        if errors >= self._settings.max_errors:
            return f"{errors} turns in a row brought no working code."
        return "All turns are used." if turn >= self._settings.max_turns else ""

    async def _reply(self, turn: int, news: Sequence[Message]) -> Reply | None:
        """The reply, or None when somebody wanted the answer before it was there."""
        work = asyncio.create_task(self._ask(turn, news))
        try:
            await self._means.until(work)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        return None if work.cancelled() and self._means.hurry.is_set() else work.result()

    async def _ask(self, turn: int, news: Sequence[Message], *, last: str = "") -> Reply:
        hint = self._past.hint(turn)
        told = (Message(role="user", content=prompts.hint(hint)),) if hint else ()
        self._add(turn, (*(self._past.news(turn, last=bool(last)) or news), *told), last)
        spec, settings, model = self._spec, self._settings, self._past.model(turn)
        request = Request(
            messages=tuple(self._history),
            model=spec.model if model is None else model.name,
            call_id=spec.id,
            turn=turn,
            kind="rlm",
            temperature=settings.temperature,
            max_output_tokens=settings.max_output_tokens,
            seconds=settings.request_seconds,
        )
        reply = self._means.recorder.clean(
            await self._means.ask(request, self._past, beyond_limits=bool(last))
        )
        self._history.append(Message(role="assistant", content=reply.text))
        return reply

    def _add(self, turn: int, messages: Sequence[Message], last: str = "") -> None:
        self._history += messages
        asked = ModelAsked(call_id=self._spec.id, turn=turn, messages=tuple(messages), last=last)
        self._means.recorder.record(asked)

    async def _last(self, turn: int, said: Sequence[str], why: str) -> Outcome:
        """The outcome of the one extra turn that a call gets, when a limit is reached or somebody is in a hurry."""
        outcome = await self._extra_turn(turn, said, why)
        return replace(outcome, how=f"{outcome.how}, as a person asked") if why == prompts.HURRY else outcome

    async def _extra_turn(self, turn: int, said: Sequence[str], why: str) -> Outcome:
        """What that turn gives, or what is left when it gives nothing."""
        ask = Message(role="user", content=prompts.last_turn(said, why))
        try:
            reply = await self._ask(turn, (ask,), last=why)
        except ModelError:
            if not self._rounds.content.strip():
                raise
            return self._left()
        parsed = parse(reply.text, reply.finish_reason)
        if parsed.blocks:
            done = await self._rounds.execute(turn, parsed, last=True)
            if done.outcome:
                return done.outcome
        elif parsed.plain and reply.finish_reason != "length" and (text := prose(reply.text)):
            return Outcome(status="exhausted", answer=text, how="plain text of the last turn")
        if self._rounds.content.strip():
            return self._left()
        raise NoAnswer(f"no answer: {why} The last turn gave none either.")

    def _left(self) -> Outcome:
        how = 'answer["content"] when the run stopped'
        return Outcome(status="exhausted", answer=self._rounds.content, how=how)


__all__ = ["RlmCall"]
