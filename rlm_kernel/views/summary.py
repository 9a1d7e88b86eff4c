"""The words every view uses for a call: its title, its status, its figures, what is below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from rlm_kernel.text import visible
from rlm_kernel.trace import (
    Call,
    CodeExecuted,
    ModelReplied,
    Trace,
    Turn,
    Usage,
    Variable,
    VariableChanges,
)


@dataclass(frozen=True, kw_only=True)
class Rollup:
    """What a call and everything below it come to. `failed` counts calls below it that did not finish."""

    calls: int
    usage: Usage
    failed: int


def rollups(root: Call) -> dict[str, Rollup]:
    """The roll-up of every call by id, in one pass from the leaves up."""
    out: dict[str, Rollup] = {}
    for call in reversed(list(root.walk())):
        out[call.id] = _together(call.calls, out, call.usage)
    return out


def _together(calls: list[Call], below: dict[str, Rollup], own: Usage) -> Rollup:
    parts = [below[call.id] for call in calls]
    return Rollup(
        calls=len(parts) + sum(part.calls for part in parts),
        usage=Usage.sum([own, *(part.usage for part in parts)]),
        failed=sum(part.failed for part in parts) + sum(call.status in BAD for call in calls),
    )


_FENCES = ("```", "~~~")
_TRIES = 20
_MODELS = 5
MAX_DOTS = 60
MISSING = "MissingReply"
"""The type of the error of a request that the record has no reply to."""
BAD = ("failed", "interrupted", "cut off")
MARKS = {
    "running": "○",
    "finished": "✓",
    "failed": "✗",
    "exhausted": "⚠",
    "interrupted": "■",
    "cut off": "✂",
}
"""A sign for each status; the word always stands beside it."""
REPLAYED = "↻"
"""The sign of what comes from a record."""


def line(text: str, limit: int = 90) -> str:
    """The first line that says something, cut to `limit`."""
    lines = text.splitlines()
    told = (part.strip() for part in lines if part.strip(" \t`#*-="))
    decoration = next((part.strip() for part in lines if part.strip()), "")
    first = next((part for part in told if not part.startswith(("```", "~~~"))), decoration)
    first = visible(first[: limit + 1])  # the rest is cut anyway
    return first if len(first) <= limit else first[: limit - 1] + "…"


def code_line(turn: Turn, limit: int = 90) -> str:
    """The line of a turn's code that says most: one that asks a sub-call, else the first that does something."""
    lines = [
        part.strip() for block in turn.blocks if block.executed for part in block.executed.code.splitlines()
    ]
    told = [part for part in lines if part and not part.startswith(("#", "import ", "from "))]
    asking = [part for part in told if "_query" in part]
    return line((asking or told or lines or [""])[0], limit)


def said(turn: Turn) -> str:
    """The reply of the turn without the blocks that ran, which are shown by themselves."""
    text = turn.reply.text.replace("\r\n", "\n") if turn.reply else ""
    for block in turn.blocks:
        found = _fenced(text, block.executed.code.strip("\n") if block.executed else "")
        if found is None:
            return text  # not to be found as it ran (it was indented, say), so it stays where it was
        text = text[: found[0]] + text[found[1] :]
    return text.strip()


def _fenced(text: str, code: str) -> tuple[int, int] | None:
    at = text.find(code) if code else -1
    for _ in range(_TRIES):
        if at < 0:
            return None
        before, after = text[:at].rstrip("\n"), text[at + len(code) :].lstrip("\n")
        start, closing = before.rfind("\n") + 1, after.partition("\n")[0]
        if before[start:].lstrip().startswith(_FENCES) and closing.lstrip().startswith(_FENCES):
            return start, len(text) - len(after) + len(closing) + 1
        at = text.find(code, at + 1)
    return None


def model_name(call: Call) -> str:
    """The model of a call, short enough for a row."""
    return line(call.model, 40)


def seconds(value: float | None) -> str:
    """A duration as a person says it: `0.31 s`, `2 min 5 s`."""
    if value is None:
        return ""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def ticking(value: float) -> str:
    """A duration that still grows: with one decimal, so that it can be read."""
    return f"{max(0.0, value):.1f} s" if value < 60 else seconds(value)


def tokens(usage: Usage) -> str:
    """Tokens in and out, marked `about` where they are estimated; empty when nothing was asked."""
    if not usage.requests:
        return ""
    about = "about " if usage.estimated else ""
    return f"{about}{usage.input_tokens:,} → {usage.output_tokens:,} tokens"


def cost(usage: Usage) -> str:
    """The cost in dollars where it is known; nothing where it is not, and never a zero for that. Nor what a reply of
    a record cost when it was first given."""
    if usage.cost is None or not usage.requests:
        return ""
    return "under $0.0001" if 0 < usage.cost < 0.00005 else f"${usage.cost:.4f}"


def count(number: int, noun: str) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def facts(call: Call, below: Rollup, now: float | None = None) -> list[str]:
    """The figures of a call's row: status, time, calls below it, and what `figures` gives."""
    took = ticking(now - call.start) if call.seconds is None and now is not None else seconds(call.seconds)
    parts = [f"{MARKS[call.status]} {call.status}", f"{REPLAYED} replayed" if is_replayed(call) else "", took]
    if below.calls:
        parts.append(count(below.calls, "sub-call"))
    return [*(part for part in parts if part), *figures(call, below)]


def is_recorded(reply: ModelReplied) -> bool:
    """Whether the reply came from a record, and not only should have."""
    return reply.mode == "replayed" and not (reply.error and reply.error.type == MISSING)


def is_replayed(call: Call) -> bool:
    """Whether the call's own replies all came from a record."""
    replies = [turn.reply for turn in call.turns if turn.reply]
    return bool(replies) and all(map(is_recorded, replies))


def figures(call: Call, below: Rollup) -> list[str]:
    """Tokens, cost, retries, failures inside."""
    parts = [tokens(below.usage), cost(below.usage)]
    if call.retries:
        parts.append(f"retried {call.retries}×")
    if call.started.depth_capped:
        parts.append("rlm_query at the depth limit: a plain request")
    if below.failed:
        parts.append(f"{below.failed:,} failed inside")
    return [part for part in parts if part]


def groups(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """The calls in order, those of one batch together."""
    for _, group in groupby(calls, key=lambda call: call.batch.id if call.batch else call.id):
        yield list(group)


def batch_facts(batch: list[Call]) -> str:
    """How the calls of a batch stand: `18 finished, 2 failed`, and how many come from a record."""
    order = list(MARKS)
    found = [call.status for call in batch]
    told = [f"{found.count(status):,} {status}" for status in order if status in found]
    replayed = sum(map(is_replayed, batch))
    return ", ".join([*told, *([f"{REPLAYED} {replayed:,} replayed"] if replayed else [])])


def strip(batch: list[Call]) -> str:
    """A sign for each call of a batch, as far as there is room: `✓✓✗✓`."""
    more = f" +{len(batch) - MAX_DOTS:,}" if len(batch) > MAX_DOTS else ""
    return "".join(MARKS[call.status] for call in batch[:MAX_DOTS]) + more


def batch_figures(batch: list[Call], below: dict[str, Rollup]) -> list[str]:
    """The figures of a batch's row: time, calls below its calls, tokens, cost, failures inside its calls."""
    total = _together(batch, below, Usage())
    ends = [call.end for call in batch if call.end is not None]
    took = max(ends) - min(call.start for call in batch) if len(ends) == len(batch) else None
    inside = total.calls - len(batch)
    failed = sum(below[call.id].failed for call in batch)
    parts = [
        seconds(took),
        count(inside, "sub-call") if inside else "",
        tokens(total.usage),
        cost(total.usage),
    ]
    return [part for part in [*parts, f"{failed:,} failed inside" if failed else ""] if part]


def turn_rollup(turn: Turn, below: dict[str, Rollup]) -> Rollup:
    """What a turn comes to: its own request and everything below it."""
    calls = [call for block in turn.blocks for call in block.calls]
    return _together(calls, below, turn.reply.usage if turn.reply else Usage())


def turn_figures(turn: Turn, below: dict[str, Rollup]) -> list[str]:
    """The figures of a turn's row: time, its sub-calls and those below them, tokens, cost, retries, failures."""
    reply, total = turn.reply, turn_rollup(turn, below)
    parts = [
        seconds(turn_seconds(turn)),
        count(total.calls, "sub-call") if total.calls else "",
        tokens(total.usage),
        cost(total.usage),
        f"retried {reply.retries}×" if reply and reply.retries else "",
        ending(reply) if reply else "",
        f"{total.failed:,} failed inside" if total.failed else "",
    ]
    return [part for part in parts if part]


def turn_seconds(turn: Turn) -> float | None:
    """How long a turn took, or None while it has no end."""
    if turn.reply is None or any(block.executed is None for block in turn.blocks):
        return None
    ends = [block.executed.t for block in turn.blocks if block.executed]
    start = turn.asked_at if turn.messages else turn.reply.t - turn.reply.seconds
    return max([turn.reply.t, *ends]) - start


def ending(reply: ModelReplied) -> str:
    """How a reply ended, where it did not end by itself."""
    if reply.finish_reason in ("", "stop"):
        return ""
    cut_short = reply.finish_reason == "length"
    return "cut off by the length limit" if cut_short else f"ended by: {line(reply.finish_reason, 40)}"


def models_told(call: Call) -> str:
    """The model asked for and those that answered, where they differ."""
    asked = call.started.model
    answered = dict.fromkeys(turn.reply.model for turn in call.turns if turn.reply and turn.reply.model)
    if not set(answered) - {asked}:
        return ""
    names = [line(name, 80) for name in answered][:_MODELS]
    more = [f"{len(answered) - _MODELS:,} more"] if len(answered) > _MODELS else []
    return f"Model asked for: {line(asked, 80)}; answered: {', '.join([*names, *more])}"


def result(call: Call) -> str:
    """What a call came to, in a line: `→ the sum of p1`, `✗ ServerFailed: 500`."""
    if call.error:
        return f"✗ {line(str(call.error), 60)}"
    return f"→ {line(call.answer, 60)}" if call.answer else ""


def unseen(done: CodeExecuted) -> list[str]:
    """What a block wrote that did not go to the model as it was."""
    streams = (("stdout", done.stdout, done.stdout_chars), ("stderr", done.stderr, 0))
    return [
        f"Raw {name}: {count(max(chars, len(text)), 'character')}, not all shown to the model; the trace has more."
        for name, text, chars in streams
        if text.rstrip("\n") not in done.shown
    ]


def variables_line(changes: VariableChanges) -> str:
    """What a block did to its variables: `+parts: list (5), ~answer: dict, −old`."""
    names = [f"+{_variable(item)}" for item in changes.added]
    names += [f"~{_variable(item)}" for item in changes.changed]
    return ", ".join([*names, *(f"−{name}" for name in changes.removed)])


def _variable(item: Variable) -> str:
    return f"{item.name}: {item.type}{f' ({item.size})' if item.size else ''}"


def elapsed(trace: Trace) -> float | None:
    """Seconds from the first event to the last."""
    return trace.events[-1].t if trace.events else None


__all__ = [
    "BAD",
    "MARKS",
    "MISSING",
    "REPLAYED",
    "Rollup",
    "batch_facts",
    "batch_figures",
    "code_line",
    "cost",
    "count",
    "elapsed",
    "ending",
    "facts",
    "figures",
    "groups",
    "is_recorded",
    "is_replayed",
    "line",
    "model_name",
    "models_told",
    "result",
    "rollups",
    "said",
    "seconds",
    "strip",
    "ticking",
    "tokens",
    "turn_figures",
    "turn_rollup",
    "turn_seconds",
    "unseen",
    "variables_line",
]
