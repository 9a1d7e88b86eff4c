"""The tree of a run as static HTML: nested `<details>` that open anywhere HTML is shown.

No script, no style sheet, no colour and nothing from the network, so it survives every sanitiser, reads in a dark
theme and in a mail. Every text of a model goes through `html.escape`. It is kept under a size by cutting long
texts and then leaving out calls, always with a line that says so.
"""

from __future__ import annotations

from html import escape

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import Block, Call, Trace, Turn
from rlm_kernel.views.summary import (
    Rollup,
    batch_facts,
    code_line,
    count,
    elapsed,
    facts,
    groups,
    label,
    line,
    rollups,
    seconds,
)

MAX_CHARS = 128 * 1024
# Text cut to so many characters, and so many calls shown of each group; the first pair that fits is taken.
_STEPS = ((8000, 200), (3000, 100), (1000, 60), (400, 30), (200, 10), (120, 3), (60, 1), (60, 0))


def html_tree(trace: Trace, *, max_chars: int | None = MAX_CHARS) -> str:
    """The run as an HTML fragment of at most `max_chars` (about; None: with everything)."""
    root = trace.root
    if root is None:
        return "<p>A run that has not begun.</p>"
    if max_chars is None:
        return _Tree(trace, root, 10**9, 10**9).render()
    for text, calls in _STEPS:
        out = _Tree(trace, root, text, calls).render()
        if len(out) <= max_chars:
            return out
    return _Tree(trace, root, 60, 0, turns=0).render()


def html_document(trace: Trace) -> str:
    """The run as a whole HTML page, with everything in it."""
    title = escape(line(trace.started.query if trace.started else "A run", 80))
    head = f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
    style = '<meta name="color-scheme" content="light dark">'
    return f"{head}{style}</head>\n<body>\n{html_tree(trace, max_chars=None)}\n</body>\n</html>\n"


class _Tree:
    def __init__(
        self, trace: Trace, root: Call, text_chars: int, group_calls: int, turns: int = 10**9
    ) -> None:
        self._trace = trace
        self._root = root
        self._text_chars = text_chars
        self._group_calls = group_calls
        self._turns = turns
        self._below: dict[str, Rollup] = rollups(root)
        self._cut_texts = 0
        self._left_out = 0
        self._unseen_turns = 0

    def render(self) -> str:
        """The whole fragment."""
        trace, started = self._trace, self._trace.started
        query = started.query if started else ""
        tree = self._call(self._root, is_open=True)
        parts = [
            f"<p><b>Question</b> {self._inline(query, 1000)}</p>",
            f"<ul>{tree}</ul>",
            *self._answer(),
            *self._notices(),
        ]
        return (
            "<div>"
            + "\n".join(parts)
            + (f"\n<p><small>{self._footer()}</small></p>" if trace.events else "")
            + "</div>"
        )

    def _answer(self) -> list[str]:
        end, tag = self._trace.tree.end, label(self._trace)
        note = f" <i>({escape(tag)})</i>" if tag else ""
        out = []
        if end and end.answer is not None:
            out.append(
                f"<p><b>Answer</b>{note}</p>{self._pre(end.answer, keep=min(20_000, 20 * self._text_chars))}"
            )
        if end and end.error:
            out.append(f"<p><b>Error</b></p>{self._pre(str(end.error))}")
        return out

    def _notices(self) -> list[str]:
        out = [self._trace.warning] if self._trace.warning else []
        if self._cut_texts:
            out.append(f"{count(self._cut_texts, 'long text')} shortened here; the trace has them in full.")
        if self._left_out:
            out.append(f"{count(self._left_out, 'call')} not shown here; the trace has them all.")
        if self._unseen_turns:
            # The calls of a turn that is not shown are below the root.
            out.append(
                f"{count(self._unseen_turns, 'turn')} with all their calls not shown here; the trace has them."
            )
        return [f"<p><b>Note</b> {self._inline(note, 2000)}</p>" for note in out]

    def _footer(self) -> str:
        started, path = self._trace.started, self._trace.path
        parts = [f"run {started.run_id}" if started else "", seconds(elapsed(self._trace))]
        parts += [
            f"isolation: {started.isolation}" if started else "",
            f"trace: {path}" if path else "trace: not on disk",
        ]
        return self._inline(" · ".join(part for part in parts if part), 3000)

    def _call(self, call: Call, *, is_open: bool = False) -> str:
        figures = escape(" · ".join(facts(call, self._below[call.id])))
        title = f" — {escape(line(call.prompt, 80))}" if call.depth else ""
        summary = f"<b>{self._inline(call.id, 200)} {call.kind}</b> {self._inline(call.model, 200)} · {figures}{title}"
        body = self._llm(call) if call.kind == "llm" else self._rlm(call)
        attribute = " open" if is_open else ""
        return f"<li><details{attribute}><summary>{summary}</summary>{body}</details></li>"

    def _llm(self, call: Call) -> str:
        reply = call.reply
        parts = [self._site(call), "<p>Prompt</p>", self._pre(call.prompt)]
        if reply and reply.reasoning:
            parts += ["<p>Reasoning</p>", self._pre(reply.reasoning)]
        if reply and reply.text:
            finish = f" (cut off: {escape(reply.finish_reason)})" if reply.finish_reason == "length" else ""
            parts += [f"<p>Reply{finish}</p>", self._pre(reply.text)]
        return "".join(parts) + self._error(call)

    def _rlm(self, call: Call) -> str:
        parts = [self._site(call)]
        if call.depth:
            parts += ["<p>Question</p>", self._pre(call.prompt)]
        if call.context:
            card = call.context
            size = f", {card.chars:,} characters" if card.chars is not None else ""
            shape = f" — {self._inline(card.schema, 600)}" if card.schema else ""
            parts.append(
                f"<p>Context: {self._inline(card.name, 200)}, {self._inline(card.type, 200)}{size}{shape}</p>"
            )
        turns = "".join(self._turn(turn, call.alive) for turn in call.turns[: self._turns])
        self._unseen_turns += max(0, len(call.turns) - self._turns)
        parts.append(f"<ul>{turns}</ul>" if turns else "")
        if call.answer is not None and call.depth:
            parts += [f"<p>Answer (from {self._inline(call.how, 200)})</p>", self._pre(call.answer)]
        return "".join(parts) + self._error(call)

    def _turn(self, turn: Turn, alive: bool) -> str:
        reply = turn.reply
        if reply is None:
            return f"<li>Turn {turn.number} · {'waiting for the model' if alive else 'no reply'}</li>"
        bad = any(block.executed and block.executed.error for block in turn.blocks) or reply.error
        title = code_line(turn) or line(reply.text)
        summary = f"<b>Turn {turn.number}</b>{' · ✗ failed' if bad else ''} · <code>{escape(title)}</code>"
        parts = [self._pre(str(reply.error))] if reply.error else []
        parts += ["<details><summary>Reply of the model</summary>", self._pre(reply.text), "</details>"]
        parts += [self._block(block, alive) for block in turn.blocks]
        calls = "".join(self._calls(block) for block in turn.blocks)
        return f"<li><details><summary>{summary}</summary>{''.join(parts)}</details>{calls}</li>"

    def _block(self, block: Block, alive: bool) -> str:
        done = block.executed
        if done is None:
            return f"<p>Block {block.number} {'is running' if alive else 'did not end'}</p>"
        parts = [f"<p>Block {block.number} · {seconds(done.seconds)}</p>", self._pre(done.code, code=True)]
        if done.shown:
            parts += ["<p>What the model saw of its output</p>", self._pre(done.shown)]
        changes = done.variables
        names = [f"+{item.name}: {item.type}" for item in changes.added]
        names += [f"~{item.name}: {item.type}" for item in changes.changed] + [
            f"−{name}" for name in changes.removed
        ]
        if names:
            parts.append(f"<p>Variables: {self._inline(', '.join(names), 600)}</p>")
        return "".join(parts)

    def _calls(self, block: Block) -> str:
        found = list(groups(block.calls))
        shown = found[: self._group_calls]
        rest = [call for group in found[len(shown) :] for call in group]
        self._left_out += sum(1 + self._below[call.id].calls for call in rest)
        more = f"<li>… {count(len(rest), 'more call')} in the trace</li>" if rest else ""
        groups_html = "".join(self._group(group) for group in shown) + more
        return f"<ul>{groups_html}</ul>" if groups_html else ""

    def _group(self, group: list[Call]) -> str:
        if len(group) == 1:
            return self._call(group[0])
        shown = group[: self._group_calls]
        rest = len(group) - len(shown)
        self._left_out += sum(1 + self._below[call.id].calls for call in group[len(shown) :])
        summary = (
            f"<b>{escape(group[0].id)}…</b> batch of {len(group):,} {group[0].kind} · {batch_facts(group)}"
        )
        more = f"<li>… {count(rest, 'more call')} in the trace</li>" if rest else ""
        calls = "".join(self._call(call) for call in shown)
        return f"<li><details><summary>{summary}</summary><ul>{calls}{more}</ul></details></li>"

    def _site(self, call: Call) -> str:
        if call.site is None or not call.site.line:
            return ""
        return f"<p>Asked by block {call.site.block}, line {call.site.line}: <code>{self._inline(call.site.code, 200)}</code></p>"

    def _error(self, call: Call) -> str:
        return f"<p>Error</p>{self._pre(str(call.error))}" if call.error else ""

    def _pre(self, text: str, *, code: bool = False, keep: int = 0) -> str:
        limit = max(self._text_chars, keep)
        self._cut_texts += len(text) > limit
        shown = escape(visible(cut(text, limit)))
        return f"<pre><code>{shown}</code></pre>" if code else f"<pre>{shown}</pre>"

    def _inline(self, text: str, limit: int) -> str:
        return escape(visible(cut(text, limit)))


__all__ = ["MAX_CHARS", "html_document", "html_tree"]
