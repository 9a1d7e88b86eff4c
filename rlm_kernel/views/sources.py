"""Where the replies of a run come from: a model, a script, a person, a record; and how many come from which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rlm_kernel.trace import MODE_LABELS, Call, ModelReplied, Trace, Usage
from rlm_kernel.views.summary import cost, is_recorded, line, tokens


@dataclass(frozen=True, kw_only=True)
class Replies:
    """How many replies come from a record, from a person who wrote them in a model's place, and from elsewhere. One
    that the record should have had and has not is none."""

    replayed: int
    written: int
    new: int

    def __str__(self) -> str:
        by_hand = [f"{self.written:,} by a person"] if self.written else []
        return ", ".join([f"{self.replayed:,} replayed", *by_hand, f"{self.new:,} new"])


def replies_of(trace: Trace) -> Replies | None:
    """The count for a run that has a reply of a record, or was to have one; None for any other."""
    found = [reply for call in trace.walk() for reply in _replies(call)]
    replayed, started = sum(map(is_recorded, found)), trace.started
    origin = started.origin if started else None
    if not replayed and (origin is None or origin.kind == "rerun"):
        return None
    modes = [reply.mode for reply in found if reply.mode != "replayed"]
    # Where a person answers in place of a model throughout, those are the new ones.
    written = 0 if started and started.mode == "human" else modes.count("human")
    return Replies(replayed=replayed, written=written, new=len(modes) - written)


def label(trace: Trace) -> str:
    """What a person must know about where the replies came from; empty for a live model."""
    own = [trace.started.mode] if trace.started else []
    return _label([reply for call in trace.walk() for reply in _replies(call)], own)


def call_label(call: Call) -> str:
    """The same of one call's own replies."""
    return _label(_replies(call), [])


def answer_note(trace: Trace) -> str:
    """What a person must know about the answer: where its replies came from, and how it came about at a limit."""
    root = trace.root
    how = line(root.how, 200) if root and root.status == "exhausted" else ""
    return "; ".join(part for part in (how, label(trace)) if part)


def used_then(replies: Iterable[ModelReplied]) -> str:
    """What those of a record used when they were first given: `then 100 → 10 tokens · $0.0010`; empty where that is
    not known."""
    usage = Usage.sum(
        replace(reply.usage, requests=1) for reply in replies if is_recorded(reply) and reply.usage != Usage()
    )
    told = [part for part in (tokens(usage), cost(usage)) if part]
    return f"then {' · '.join(told)}" if told else ""


def _replies(call: Call) -> list[ModelReplied]:
    return [turn.reply for turn in call.turns if turn.reply]


def _label(replies: list[ModelReplied], own: Iterable[str]) -> str:
    modes = {*own, *(reply.mode for reply in replies)}
    told = [MODE_LABELS[mode] for mode in sorted(modes - {"replayed"}) if MODE_LABELS[mode]]
    if "replayed" in modes:
        # A record of scripted replies is no record of a model's.
        first = {reply.first_mode for reply in replies if reply.mode == "replayed" and reply.first_mode}
        whose = ", ".join(MODE_LABELS[mode] for mode in sorted(first - {"replayed"}) if MODE_LABELS[mode])
        told.append(MODE_LABELS["replayed"] + (f": {whose}" if whose else ""))
    return "; ".join(told)


__all__ = ["Replies", "answer_note", "call_label", "label", "replies_of", "used_then"]
