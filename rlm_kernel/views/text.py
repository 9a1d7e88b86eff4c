"""The tree of a run as plain text: for a terminal, a log, `text/plain`, and the live view."""

from __future__ import annotations

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import MODE_LABELS, Block, Call, Trace, Turn
from rlm_kernel.views.outputs import output_line, outputs_of
from rlm_kernel.views.summary import (
    BAD,
    MARKS,
    Rollup,
    answer_note,
    batch_facts,
    code_line,
    count,
    elapsed,
    facts,
    figures,
    groups,
    label,
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
ANSWER_CHARS = 20_000


def text_tree(trace: Trace, *, now: float | None = None, max_lines: int = MAX_LINES) -> str:
    """The question, the tree and the answer. `now` (seconds since the run began) lets running calls tick."""
    started, root = trace.started, trace.root
    if started is None or root is None:
        return "Run       ○ starting"
    head = [f"Question  {line(' '.join(started.query.split()), 300)}", _status(trace, root, now)]
    rows = _Rows(rollups(root), now).call(root)
    left_out = len(rows) - max_lines
    if left_out > 0:
        half = max_lines // 2
        rows = [*rows[: max_lines - half], f"   … {left_out:,} lines left out …", *rows[len(rows) - half :]]
    return "\n".join([*head, *rows, *_foot(trace)])


def _status(trace: Trace, root: Call, now: float | None) -> str:
    total = rollups(root)[root.id]
    took = ticking(now) if now is not None else seconds(elapsed(trace))
    parts = [f"{MARKS[trace.status]} {trace.status}", took]
    parts += [count(total.calls, "sub-call") if total.calls else "", *figures(root, total)]
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
    below = rollups(call)[call.id]
    modes = {MODE_LABELS[turn.reply.mode] for turn in call.turns if turn.reply} - {""}
    tag = f"  [{'; '.join(sorted(modes))}]" if modes else ""
    parts = [f"{call.id} {call.kind} {call.model}  {' · '.join(facts(call, below))}{tag}"]
    models = models_told(call)
    parts += [models] if models else []
    if call.kind == "llm":
        parts.append(f"── prompt\n{call.prompt}")
    for turn in call.turns:
        parts += [f"── {message.role}, turn {turn.number}\n{message.content}" for message in turn.messages]
        if turn.reply:
            parts.append(f"── reply\n{turn.reply.text or turn.reply.error}")
    if call.turns and call.turns[-1].blocks:
        last = []
        for block in call.turns[-1].blocks:
            last += [*([block.executed.shown] if block.executed else []), *_outputs(block)]
        parts.append("── output of the last turn\n" + "\n".join(last))
    if call.answer is not None and call.kind == "rlm":
        parts.append(f"── answer, from {call.how}\n{call.answer}")
    if call.error:
        parts.append(f"── error\n{call.error}")
    return visible("\n".join(parts))


class _Rows:
    def __init__(self, below: dict[str, Rollup], now: float | None) -> None:
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
        return [head.rstrip(), *_branch([self._turn(turn, call.alive) for turn in call.turns])]

    def _reply(self, call: Call) -> list[str]:
        if call.error:
            return [f"   ✗ {line(str(call.error), 100)}"]
        return [f"   → {line(call.answer, 100)}"] if call.answer else []

    def _turn(self, turn: Turn, alive: bool) -> list[str]:
        if turn.reply is None:
            return [f"turn {turn.number}  {'○ waiting for the model' if alive else '✂ no reply'}"]
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
        return [f"turn {turn.number}  {first}", *_branch(rows)]

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
