"""The tree of a run as plain text: for a terminal, a log, `text/plain`, and the live view."""

from __future__ import annotations

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import Block, Call, Trace, Turn
from rlm_kernel.views.derived import (
    HELD,
    WRITTEN,
    decided,
    derived_facts,
    divergence_line,
    is_waiting,
    is_written,
    last_words,
    waiting,
)
from rlm_kernel.views.isolation import isolation_level, isolation_warning
from rlm_kernel.views.outputs import output_line, outputs_of
from rlm_kernel.views.pauses import pause_line
from rlm_kernel.views.sources import answer_note, call_label, label, used_then
from rlm_kernel.views.summary import (
    BAD,
    MARKS,
    REPLAYED,
    Rollup,
    batch_facts,
    code_line,
    count,
    elapsed,
    facts,
    figures,
    groups,
    is_recorded,
    line,
    model_name,
    models_told,
    rollups,
    seconds,
    strip,
    ticking,
)

SHOWN_OF_BATCH = 2
MAX_LINES = 200
MOST_DIVERGENCES = 6
ANSWER_CHARS = 20_000


def text_tree(trace: Trace, *, now: float | None = None, max_lines: int = MAX_LINES) -> str:
    """The question, the tree and the answer. `now` (seconds since the run began) lets running calls tick."""
    started, root = trace.started, trace.root
    if started is None or root is None:
        return "Run       ○ starting"
    head = [f"Question  {line(' '.join(started.query.split()), 300)}", _status(trace, root, now)]
    danger = isolation_warning(trace)
    head += [f"Warning   {danger}"] if danger else []
    derived = derived_facts(trace)
    name = "Origin" if started.origin else "Replies"
    head += [f"{name:10}{' · '.join(derived)}"] if derived else []
    pause = pause_line(trace, now)
    head += [f"Server    {pause}"] if pause else []
    rows = _Rows(trace, rollups(root), now).call(root)
    left_out = len(rows) - max_lines
    if left_out > 0:
        half = max_lines // 2
        rows = [*rows[: max_lines - half], f"   … {left_out:,} lines left out …", *rows[len(rows) - half :]]
    return "\n".join([*head, *rows, *_foot(trace)])


def _status(trace: Trace, root: Call, now: float | None) -> str:
    total = rollups(root)[root.id]
    took = ticking(now) if now is not None else seconds(elapsed(trace))
    held = waiting(trace)
    parts = [
        f"{MARKS[trace.status]} {trace.status}",
        f"{HELD} {count(held, 'block')} waiting for you" if held else "",
    ]
    parts.append(took)
    parts += [count(total.calls, "sub-call") if total.calls else "", *figures(root, total)]
    parts.append(visible(isolation_level(trace)))
    tag = label(trace)
    return f"Run       {' · '.join(part for part in parts if part)}" + (f"  [{tag}]" if tag else "")


def _foot(trace: Trace) -> list[str]:
    end, out = trace.tree.end, []
    if end and end.answer is not None:
        tag = answer_note(trace)
        out.append(
            f"Answer    {visible(cut(end.answer, ANSWER_CHARS))}" + (f"\n          [{tag}]" if tag else "")
        )
    if end and end.error:
        out.append(f"Error     {visible(str(end.error))}")
    if trace.warning:
        out.append(f"Warning   {visible(trace.warning)}")
    return out


def call_text(call: Call) -> str:
    """One call in full: its messages, replies, code, output as the model saw it, and answer."""
    tag = call_label(call)
    told = " · ".join(facts(call, rollups(call)[call.id]))
    parts = [f"{call.id} {call.kind} {call.model}  {told}{f'  [{tag}]' if tag else ''}"]
    parts += [told for told in (models_told(call), _recorded(call)) if told]
    if call.kind == "llm":
        parts.append(f"── prompt\n{call.prompt}")
    for turn in call.turns:
        last = last_words(turn)
        place = f"turn {turn.number}{f' (last turn: {last})' if last else ''}"
        parts += [f"── {message.role}, {place}\n{message.content}" for message in turn.messages]
        if turn.reply:
            parts.append(f"── reply\n{turn.reply.text or turn.reply.error}")
        parts += [told for block in turn.blocks for told in _dealt(block, call)]
    if call.turns and call.turns[-1].blocks:
        shown: list[str] = []
        for block in call.turns[-1].blocks:
            shown += [*([block.executed.shown] if block.executed else []), *_outputs(block)]
        parts.append("── output of the last turn\n" + "\n".join(shown))
    if call.answer is not None and call.kind == "rlm":
        parts.append(f"── answer, from {call.how}\n{call.answer}")
    if call.error:
        parts.append(f"── error\n{call.error}")
    return visible("\n".join(parts))


def _recorded(call: Call) -> str:
    replies = [turn.reply for turn in call.turns if turn.reply]
    found = sum(map(is_recorded, replies))
    if not found:
        return ""
    some = f"{found:,} of {count(len(replies), 'request')} " if found < len(replies) else ""
    return (
        f"{REPLAYED} {some}answered from the record: {used_then(replies) or 'what it used then is not known'}"
    )


def _dealt(block: Block, call: Call) -> list[str]:
    """What a person did with a block, or is to do, and how it differs from the record."""
    if block.held and is_waiting(block, call):
        return [f"── block {block.number} is waiting for you\n{block.held.code}"]
    if block.executed is None:
        return []
    how = decided(block)
    out = [f"── block {block.number}: {how}\n{block.executed.code}"] if how else []
    for found in block.executed.divergences:
        out.append(f"── block {block.number}, {found.what} as recorded\n{found.recorded}")
        out.append(f"── block {block.number}, {found.what} as found\n{found.found}")
    return out


class _Rows:
    def __init__(self, trace: Trace, below: dict[str, Rollup], now: float | None) -> None:
        self._trace = trace
        self._below = below
        self._now = now

    def call(self, call: Call) -> list[str]:
        """A call's row, and below it its turns or nothing."""
        head = f"{call.id} {call.kind} {model_name(call)}  "
        if call.depth:
            told = " · ".join(facts(call, self._below[call.id], self._now))
            head += f"{told}  “{line(call.prompt, 60)}”"
        elif call.context:  # the root's figures are the run's, one line above
            head += f"{line(call.context.name, 40)}: {line(call.context.schema or call.context.type, 100)}"
        if call.kind == "llm":
            return [head.rstrip(), *self._reply(call)]
        return [head.rstrip(), *_branch([self._turn(turn, call) for turn in call.turns])]

    def _reply(self, call: Call) -> list[str]:
        if call.error:
            return [f"   ✗ {line(str(call.error), 100)}"]
        return [f"   → {line(call.answer, 100)}"] if call.answer else []

    def _turn(self, turn: Turn, call: Call) -> list[str]:
        if turn.reply is None:
            return [f"turn {turn.number}  {'○ waiting for the model' if call.alive else '✂ no reply'}"]
        if turn.reply.error:
            return [f"turn {turn.number}  ✗ {line(str(turn.reply.error), 100)}"]
        first = code_line(turn) or line(turn.reply.text)
        rows: list[list[str]] = []
        for block in turn.blocks:
            rows += [self._group(group, at) for at, group in enumerate(groups(block.calls))]
            if block.executed and block.executed.error:
                rows.append([f"✗ {line(str(block.executed.error), 100)}"])
            elif block.executed and block.executed.stdout:
                rows.append([f"→ {line(block.executed.stdout, 100)}"])
            rows += [[f"→ {told}"] for told in _outputs(block)]
            rows += [[told] for told in self._told(block, call)]
        mark = f"{REPLAYED} " if is_recorded(turn.reply) else ""
        last = last_words(turn)
        tags = [
            f"last turn: {last}" if last else "",
            WRITTEN if is_written(turn.reply, self._trace) else "",
        ]
        tag = "; ".join(tag for tag in tags if tag)
        return [f"turn {turn.number}  {mark}{first}{f'  [{tag}]' if tag else ''}", *_branch(rows)]

    def _told(self, block: Block, call: Call) -> list[str]:
        if block.held and is_waiting(block, call):
            return [f"{HELD} block {block.number} is waiting for you: {line(block.held.code)}"]
        how, done = decided(block), block.executed
        out = [f"block {block.number}: {how}"] if how else []
        found = done.divergences if done else ()
        out += [divergence_line(each) for each in found[:MOST_DIVERGENCES]]
        return [
            *out,
            *([f"… {len(found) - MOST_DIVERGENCES:,} more"] if len(found) > MOST_DIVERGENCES else []),
        ]

    def _group(self, group: list[Call], place: int) -> list[str]:
        if len(group) == 1:
            return self.call(group[0])
        ids = f"{group[0].id}…{group[-1].id}"
        head = f"{ids} batch of {len(group)} {group[0].kind}  {batch_facts(group)}  {strip(group)}"
        few = 0 if place else SHOWN_OF_BATCH  # one batch of a block is an example for the others
        shown = [call for at, call in enumerate(group) if at < few or call.status in BAD][:10]
        rows = [self.call(call) for call in shown]
        rest = len(group) - len(shown)
        return [head, *_branch([*rows, [f"… {rest:,} more"]] if rest and rows else rows)]


def _outputs(block: Block) -> list[str]:
    shown, more = outputs_of(block)
    return [*map(output_line, shown), *([count(more, "more output")] if more else [])]


def _branch(rows: list[list[str]]) -> list[str]:
    out: list[str] = []
    for at, row in enumerate(rows):
        first, other = ("└─ ", "   ") if at == len(rows) - 1 else ("├─ ", "│  ")
        out += [first + row[0], *(other + part for part in row[1:])]
    return out


__all__ = ["call_text", "text_tree"]
