"""What a block that is replayed can be told before it asks, so that it does not wait at every sub-call."""

from __future__ import annotations

from rlm_kernel.repl.base import Foreseen, SubcallResult
from rlm_kernel.trace import Block, Call

MAX_CHARS = 30_000_000


def foreseen(block: Block) -> tuple[Foreseen, ...]:
    """All that the recorded block asked, in the order in which it was answered. Empty where there is more to it than
    plain requests that have ended: a child runs again."""
    if not block.calls or not all(map(_is_plain, block.calls)):
        return ()
    if sum(len(call.prompt) + len(call.answer or "") for call in block.calls) > MAX_CHARS:
        return ()
    groups: dict[str, list[Call]] = {}
    for call in block.calls:
        groups.setdefault(call.batch.id if call.batch else f"{call.id} alone", []).append(call)
    whole = [calls for calls in groups.values() if not calls[0].batch or calls[0].batch.size == len(calls)]
    return tuple(map(_told, sorted(whole, key=_ended)))


def _is_plain(call: Call) -> bool:
    ended = call.status in ("finished", "failed")
    return call.kind == "llm" and ended and not call.started.depth_capped


def _ended(calls: list[Call]) -> int:
    return max(call.finished.seq for call in calls if call.finished)


def _told(calls: list[Call]) -> Foreseen:
    return Foreseen(
        prompts=tuple(call.prompt for call in calls),
        model=calls[0].started.model,
        batched=calls[0].batch is not None,
        lane=calls[0].site.lane if calls[0].site else "",
        results=tuple(SubcallResult(answer=call.answer, error=call.error) for call in calls),
    )


__all__ = ["MAX_CHARS", "foreseen"]
