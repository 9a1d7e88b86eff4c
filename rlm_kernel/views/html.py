"""The tree of a run as static HTML: nested `<details>` that open anywhere HTML is shown.

No script, no style sheet, no colour and nothing from the network, so it survives every sanitiser, reads in a dark
theme and in a mail. Every text of a model goes through `html.escape`. It is kept under a size by cutting long
texts and then leaving out calls, always with a line that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    model_name,
    rollups,
    said,
    seconds,
)

MAX_CHARS = 128 * 1024
# Beside the triangle of `<details>` a bullet says nothing. Where styles are stripped it comes back and does no harm.
_LIST = '<ul style="list-style-type:none">'
_SLACK = 100
_EVERYTHING = 10**9


@dataclass(frozen=True)
class _Size:
    """How much is shown: characters of the texts of an rlm call and of an llm call, calls of a group, turns."""

    rlm: int = _EVERYTHING
    llm: int = _EVERYTHING
    calls: int = _EVERYTHING
    turns: int = _EVERYTHING


# The first that fits is taken. What the root did is the story, so what it passed on is cut first.
_SIZES = (
    _Size(20_000, 8_000, 200),
    _Size(8_000, 3_000, 100),
    _Size(8_000, 1_000, 60),
    _Size(8_000, 400, 40),
    _Size(4_000, 400, 10),
    _Size(2_000, 200, 5),
    _Size(1_000, 120, 3),
    _Size(200, 60, 1),
    _Size(60, 60, 0),
    _Size(60, 60, 0, 0),
)


def html_tree(trace: Trace, *, max_chars: int | None = MAX_CHARS) -> str:
    """The run as an HTML fragment of at most `max_chars` (None: with everything)."""
    root = trace.root
    if root is None:
        return "<p>A run that has not begun.</p>"
    below = rollups(root)
    if max_chars is None:
        return _Tree(trace, root, below, _Size()).render()
    out = ""
    for size in _SIZES:
        out = _Tree(trace, root, below, size).render()
        if len(out) <= max_chars:
            break
    return out


def html_document(trace: Trace) -> str:
    """The run as a whole HTML page, with everything in it."""
    title = escape(line(trace.started.query if trace.started else "A run", 80))
    head = f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
    style = '<meta name="color-scheme" content="light dark">'
    return f"{head}{style}</head>\n<body>\n{html_tree(trace, max_chars=None)}\n</body>\n</html>\n"


class _Tree:
    def __init__(self, trace: Trace, root: Call, below: dict[str, Rollup], size: _Size) -> None:
        self._trace = trace
        self._root = root
        self._below = below
        self._size = size
        self._cut_texts = 0
        self._left_out = 0
        self._unseen_turns = 0

    def render(self) -> str:
        """The whole fragment."""
        query = self._trace.started.query if self._trace.started else ""
        tree = self._call(self._root, is_open=True)
        question = escape(visible(self._cut(query, max(1000, self._size.rlm))))
        parts = [f"<p><b>Question</b> {question}</p>", f"{_LIST}{tree}</ul>"]
        parts += [*self._answer(), *self._notices(), f"<p><small>{self._footer()}</small></p>"]
        return "<div>" + "\n".join(parts) + "</div>"

    def _answer(self) -> list[str]:
        end, tag = self._trace.tree.end, label(self._trace)
        note = f" <i>({escape(tag)})</i>" if tag else ""
        out = []
        if end and end.answer is not None:
            text = self._cut(end.answer, max(self._size.rlm, min(20_000, 20 * self._size.llm)))
            out.append(f"<p><b>Answer</b>{note}</p>{_prose(text)}")
        if end and end.error:
            out.append(f"<p><b>Error</b></p>{_prose(self._cut(str(end.error), self._size.rlm))}")
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
        return [f"<p><b>Note</b> {_inline(note, 2000)}</p>" for note in out]

    def _footer(self) -> str:
        started = self._trace.started
        parts = [f"run {started.run_id}" if started else "", seconds(elapsed(self._trace))]
        parts += [
            f"isolation: {started.isolation}" if started else "",
            f"trace: {self._trace.place or 'not on disk'}",
        ]
        return _inline(" · ".join(part for part in parts if part), 3000)

    def _call(self, call: Call, *, is_open: bool = False) -> str:
        figures = escape(" · ".join(facts(call, self._below[call.id])))
        title = f" — {escape(line(call.prompt, 80))}" if call.depth else ""
        summary = f"<b>{_inline(call.id, 200)} {call.kind}</b> {escape(model_name(call))} · {figures}{title}"
        body = self._llm(call) if call.kind == "llm" else self._rlm(call)
        return _details(summary, body, is_open=is_open)

    def _llm(self, call: Call) -> str:
        reply, limit = call.reply, self._size.llm
        parts = [_site(call), self._text("Prompt", call.prompt, limit)]
        if reply and reply.reasoning:
            parts.append(self._text("Reasoning", reply.reasoning, limit))
        if reply and reply.text:
            finish = " (cut off by the length limit)" if reply.finish_reason == "length" else ""
            parts.append(self._text(f"Reply{finish}", reply.text, limit))
        return "".join(parts) + self._error(call)

    def _rlm(self, call: Call) -> str:
        parts = [_site(call)]
        if call.depth:
            parts.append(self._text("Question", call.prompt, self._size.llm))
        if call.context:
            card = call.context
            size = f", {card.chars:,} characters" if card.chars is not None else ""
            parts.append(
                f"<div>Context {_inline(card.name, 200)}: {_inline(card.schema or card.type, 600)}{size}</div>"
            )
        turns = "".join(self._turn(turn, call) for turn in call.turns[: self._size.turns])
        self._unseen_turns += max(0, len(call.turns) - self._size.turns)
        parts.append(f"{_LIST}{turns}</ul>" if turns else "")
        if call.answer is not None and call.depth:
            parts.append(self._text(f"Answer, from {call.how}", call.answer, self._size.llm))
        return "".join(parts) + self._error(call)

    def _turn(self, turn: Turn, call: Call) -> str:
        reply = turn.reply
        if reply is None:
            waits = "waiting for the model" if call.alive else f"{call.status} before the model replied"
            return f"<li>Turn {turn.number} · {waits}</li>"
        if reply.error:
            return f"<li><b>Turn {turn.number}</b> · ✗ {_inline(str(reply.error), 600)}</li>"
        bad = any(block.executed and block.executed.error for block in turn.blocks)
        title = f"<code>{escape(code_line(turn) or line(reply.text))}</code>"
        summary = f"<b>Turn {turn.number}</b>{' · ✗ failed' if bad else ''} · {title}"
        parts = [self._text("Reasoning", reply.reasoning, self._size.rlm)] if reply.reasoning else []
        words = said(turn)
        if words:
            parts.append(f"<div><b>Reply</b></div>{_prose(self._cut(words, self._size.rlm))}")
        parts += [self._block(block, call) for block in turn.blocks]
        calls = "".join(self._calls(block) for block in turn.blocks)
        return f"<li><details><summary>{summary}</summary>{''.join(parts)}</details>{calls}</li>"

    def _block(self, block: Block, call: Call) -> str:
        done = block.executed
        if done is None:
            return f"<p>Block {block.number} {'is running' if call.alive else 'did not end'}</p>"
        parts = [
            self._text(
                f"Block {block.number} · {seconds(done.seconds)}", done.code, self._size.rlm, code=True
            )
        ]
        if done.stdout or done.stderr or done.error or "\nNote: " in done.shown:
            parts.append(self._text("Output, as the model saw it", done.shown, self._size.rlm))
        changes = done.variables
        names = [f"+{item.name}: {item.type}" for item in changes.added]
        names += [f"~{item.name}: {item.type}" for item in changes.changed] + [
            f"−{name}" for name in changes.removed
        ]
        if names:
            parts.append(f"<p>Variables: {_inline(', '.join(names), 600)}</p>")
        return "".join(parts)

    def _calls(self, block: Block) -> str:
        found = list(groups(block.calls))
        shown = found[: self._size.calls]
        rest = [call for group in found[len(shown) :] for call in group]
        groups_html = "".join(self._group(group) for group in shown) + self._more(rest)
        return f"{_LIST}{groups_html}</ul>" if groups_html else ""

    def _group(self, group: list[Call]) -> str:
        if len(group) == 1:
            return self._call(group[0])
        shown = group[: self._size.calls]
        ids = f"{_inline(group[0].id, 200)}…{_inline(group[-1].id, 200)}"
        summary = f"<b>{ids}</b> batch of {len(group):,} {group[0].kind} · {batch_facts(group)}"
        calls = "".join(self._call(call) for call in shown)
        return _details(summary, f"{_LIST}{calls}{self._more(group[len(shown) :])}</ul>")

    def _more(self, rest: list[Call]) -> str:
        self._left_out += sum(1 + self._below[call.id].calls for call in rest)
        return f"<li>… {count(len(rest), 'more call')} in the trace</li>" if rest else ""

    def _error(self, call: Call) -> str:
        end = self._trace.tree.end
        said_below = call is self._root and end is not None and end.error == call.error
        return self._text("Error", str(call.error), self._size.llm) if call.error and not said_below else ""

    def _text(self, name: str, text: str, limit: int, *, code: bool = False) -> str:
        shown = escape(visible(self._cut(text, limit)))
        body = f"<pre><code>{shown}</code></pre>" if code else f"<pre>{shown}</pre>"
        return f"<div><b>{_inline(name, 200)}</b></div>{body}<p></p>"

    def _cut(self, text: str, limit: int) -> str:
        if len(text) <= limit + _SLACK:
            return text
        self._cut_texts += 1
        return cut(text, limit)


def _details(summary: str, body: str, *, is_open: bool = False) -> str:
    return f"<li><details{' open' if is_open else ''}><summary>{summary}</summary>{body}</details></li>"


def _site(call: Call) -> str:
    if call.site is None or not call.site.line:
        return ""
    code = _inline(call.site.code, 200)
    return f"<div>Asked by block {call.site.block}, line {call.site.line}: <code>{code}</code></div>"


def _prose(text: str) -> str:
    # A front end may break the lines of a `<pre>` inside words, so it is for text whose layout says something.
    lines = visible(text).split("\n")
    if any(part.startswith((" ", "\t", "|", "```", "~~~")) for part in lines):
        return f"<pre>{escape(visible(text))}</pre>"
    return f"<p>{'<br>'.join(map(escape, lines))}</p>"


def _inline(text: str, limit: int) -> str:
    return escape(visible(cut(text, limit)))


__all__ = ["MAX_CHARS", "html_document", "html_tree"]
