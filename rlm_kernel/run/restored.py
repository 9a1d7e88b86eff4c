"""What only a replay can tell of a step: the variables after it, the context that a child was given."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rlm_kernel.engine.engine import Engine, Job
from rlm_kernel.engine.plan import Plan, Wanted
from rlm_kernel.engine.spec import CallSpec
from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ConfigError, NotReached, RLMError
from rlm_kernel.repl.pack import Packed, pack_context
from rlm_kernel.run.again import Again, Given, text_hash
from rlm_kernel.trace import Call, Recorder, Step, Trace


def variables_at(again: Again, step: Step, names: tuple[str, ...], given: Given) -> dict[str, Any]:
    """The variables of a call after a turn (its last where the step names none). Raises `ConfigError` for a step that
    has none, `ContextError`, `NotReached`."""
    call = step.call
    ran = [turn.number for turn in call.turns if any(block.executed for block in turn.blocks)]
    turn = step.turn.number if step.turn else ran[-1] if ran else None
    if call.kind == "llm" or turn not in ran:
        raise ConfigError(f"{step} ran no code, so it has no variables", setting="at")
    values: dict[str, Any] = _look(again, given, call.id, turn, names or None)
    return values


def call_alone(again: Again, call: Call, edit: Mapping[str, Any], given: Given, n: int) -> list[Job]:
    """`n` jobs that ask the call again alone, each with its context. Raises `ConfigError`, `ContextError`, `NotReached`."""
    again.live(edit.get("model"))  # nobody is to wait for a context that nobody then is asked about
    packed, plain = context_of(again, call, given)
    if plain and edit.get("prompt"):
        assert packed is not None
        packed.close()
        packed = pack_context(edit["prompt"])
    copies = [packed] + [_copy(packed) for _ in range(n - 1)]
    try:
        return [again.alone(call, edit, each, plain=plain) for each in copies]
    except RLMError:
        for each in copies:
            if each is not None:
                each.close()
        raise


def context_of(again: Again, call: Call, given: Given) -> tuple[Packed | None, bool]:
    """The context that the call was given, and whether it is its prompt. Raises `ContextError`, `NotReached`."""
    if call.kind == "llm" or call.context is None:
        return None, False
    root = again.started.context
    if root is not None and root.hash and call.context.hash == root.hash:
        return again.context(given), False
    if call.context.hash == text_hash(call.prompt):
        return pack_context(call.prompt), True
    spec: CallSpec = _look(again, given, call.id, None, None)
    return spec.packed, spec.prompt_is_context


def _look(again: Again, given: Given, call_id: str, turn: int | None, names: tuple[str, ...] | None) -> Any:
    found = submit(_found(again, given, call_id, turn, names))
    try:
        return found.result()
    except KeyboardInterrupt:
        found.cancel()  # nobody waits for the replay any more
        raise


async def _found(
    again: Again, given: Given, call_id: str, turn: int | None, names: tuple[str, ...] | None
) -> Any:
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    plan = Plan(again.record(), wanted=Wanted(call=call_id, turn=turn, found=found, names=names))
    job = again.replay(given, plan)
    work = asyncio.create_task(Engine(job, Recorder(Trace(live=True), None)).run())
    try:
        await asyncio.wait((work, found), return_when=asyncio.FIRST_COMPLETED)
    finally:
        work.cancel()
        ended = await asyncio.gather(work, return_exceptions=True)
        if job.context is not None:
            job.context.close()
    if found.done():
        return found.result()
    where = f"turn {turn} of call {call_id}" if turn else f"call {call_id}"
    why = f" It ended with: {ended[0]}" if isinstance(ended[0], RLMError) else ""
    raise NotReached(f"the code did something else this time, and the replay never came to {where}.{why}")


def _copy(packed: Packed | None) -> Packed | None:
    return packed if packed is None or packed.fd < 0 else replace(packed, fd=os.dup(packed.fd))


__all__ = ["call_alone", "context_of", "variables_at"]
