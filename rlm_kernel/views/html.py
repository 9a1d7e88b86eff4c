"""The tree of a run as static HTML: nested `<details>` that open anywhere HTML is shown.

No script, no style sheet, no colour and nothing from the network, so it survives every sanitiser, reads in a dark
theme and in a mail. Every text of a model goes through `html.escape`. It is kept under a size by cutting long
texts and then leaving out calls, always with a line that says so; figures get the room that is left.
"""

from __future__ import annotations

from html import escape

from rlm_kernel.text import cut, visible
from rlm_kernel.trace import Block, Call, Divergence, Trace, Turn
from rlm_kernel.views.derived import (
    DIFFERS,
    HELD,
    WRITTEN,
    decided,
    derived_facts,
    divergences,
    is_waiting,
    is_written,
    last_words,
    waiting,
)
from rlm_kernel.views.extent import EXTENTS, MAX_BYTES, Extent
from rlm_kernel.views.isolation import isolation_line, isolation_warning
from rlm_kernel.views.markup import details, image, inline, items, prose, table
from rlm_kernel.views.outputs import Image, Output, Table, output_line, outputs_of, printed
from rlm_kernel.views.pauses import pause_line
from rlm_kernel.views.sources import answer_note
from rlm_kernel.views.summary import (
    REPLAYED,
    Rollup,
    batch_facts,
    batch_figures,
    code_line,
    count,
    elapsed,
    ending,
    facts,
    groups,
    is_recorded,
    line,
    model_name,
    models_told,
    result,
    rollups,
    said,
    seconds,
    strip,
    turn_figures,
    unseen,
    variables_line,
)

_SLACK = 100

# A figure by the place where it stands: call, turn, block, output.
_Place = tuple[str, int, int, int]


def html_tree(trace: Trace, *, max_bytes: int | None = MAX_BYTES) -> str:
    """The run as an HTML fragment of at most `max_bytes` of UTF-8 (None: with everything)."""
    root = trace.root
    if root is None:
        return "<p>A run that has not begun.</p>"
    below = rollups(root)
    if max_bytes is None:
        return _Tree(trace, root, below, Extent(), None).render()
    out = ""
    for size in EXTENTS:
        tree = _Tree(trace, root, below, size, frozenset())
        out = tree.render()
        room = max_bytes - len(out.encode())
        if room >= 0:
            chosen = _chosen(tree.left_out_figures, room)
            return _Tree(trace, root, below, size, chosen).render() if chosen else out
    return out


def _chosen(figures: dict[_Place, int], room: int) -> frozenset[_Place]:
    # The figures of the root are the story, so they come first. The lines they stand for are room to spare.
    chosen = set()
    for place, chars in sorted(figures.items(), key=lambda item: item[0][0].count(".")):
        if chars <= room:
            chosen.add(place)
            room -= chars
    return frozenset(chosen)


def html_document(trace: Trace) -> str:
    """The run as a whole HTML page, with everything in it."""
    title = escape(line(trace.started.query if trace.started else "A run", 80))
    head = f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
    style = '<meta name="color-scheme" content="light dark">'
    return f"{head}{style}</head>\n<body>\n{html_tree(trace, max_bytes=None)}\n</body>\n</html>\n"


class _Tree:
    """One rendering. `figures` are those that have room; None for all of them."""

    def __init__(
        self,
        trace: Trace,
        root: Call,
        below: dict[str, Rollup],
        size: Extent,
        figures: frozenset[_Place] | None,
    ) -> None:
        self.left_out_figures: dict[_Place, int] = {}
        self._trace = trace
        self._root = root
        self._below = below
        self._size = size
        self._figures = figures
        self._cut_texts = 0
        self._left_out = 0
        self._unseen_turns = 0

    def render(self) -> str:
        """The whole fragment."""
        query = self._trace.started.query if self._trace.started else ""
        tree = self._call(self._root, is_open=True)
        question = escape(visible(self._cut(query, max(1000, self._size.rlm))))
        parts = [f"<p><b>Question</b> {question}</p>", *self._derived(), items(tree)]
        parts += [*self._answer(), *self._notices(), f"<p><small>{self._footer()}</small></p>"]
        return "<div>" + "\n".join(parts) + "</div>"

    def _derived(self) -> list[str]:
        told, held, pause = derived_facts(self._trace), waiting(self._trace), pause_line(self._trace)
        danger = isolation_warning(self._trace)
        parts = [f'<p><b style="color:#c00">⚠ {inline(danger, 200)}</b></p>'] if danger else []
        parts += [f"<p><b>Origin</b> {inline(' · '.join(told), 1000)}</p>"] if told else []
        parts += [f"<p>{inline(pause, 400)}</p>"] if pause else []
        return [*parts, *([f"<p>{HELD} {count(held, 'block')} waiting for you</p>"] if held else [])]

    def _answer(self) -> list[str]:
        end, tag = self._trace.tree.end, answer_note(self._trace)
        note = f" <i>({escape(tag)})</i>" if tag else ""
        out = []
        if end and end.answer is not None:
            text = self._cut(end.answer, max(self._size.rlm, min(20_000, 20 * self._size.llm)))
            out.append(f"<p><b>Answer</b>{note}</p>{prose(text)}")
        if end and end.error:
            out.append(f"<p><b>Error</b></p>{prose(self._cut(str(end.error), self._size.rlm))}")
        return out

    def _notices(self) -> list[str]:
        out = [self._trace.warning] if self._trace.warning else []
        if self._cut_texts:
            out.append(f"{count(self._cut_texts, 'long text')} shortened here; the trace has them in full.")
        if self.left_out_figures:
            out.append(f"{count(len(self.left_out_figures), 'figure')} not shown here; the trace has them.")
        if self._left_out:
            out.append(f"{count(self._left_out, 'call')} not shown here; the trace has them all.")
        if self._unseen_turns:
            # The calls of a turn that is not shown are below the root.
            out.append(
                f"{count(self._unseen_turns, 'turn')} with all their calls not shown here; the trace has them."
            )
        return [f"<p><b>Note</b> {inline(note, 2000)}</p>" for note in out]

    def _footer(self) -> str:
        started = self._trace.started
        parts = [f"run {started.run_id}" if started else "", seconds(elapsed(self._trace))]
        parts += [
            isolation_line(self._trace),
            f"trace: {self._trace.place or 'not on disk'}",
        ]
        return inline(" · ".join(part for part in parts if part), 3000)

    def _call(self, call: Call, *, is_open: bool = False) -> str:
        told = facts(call, self._below[call.id])
        if call.site and call.site.line and not call.batch:
            told.append(f"line {call.site.line}")
        if call.kind == "llm" and call.reply:
            told.append(ending(call.reply))
        figures = escape(" · ".join(part for part in told if part))
        title = f" — {escape(line(call.prompt, 80))}{_tail(result(call))}" if call.depth else ""
        summary = f"<b>{inline(call.id, 200)} {call.kind}</b> {escape(model_name(call))} · {figures}{title}"
        body = self._llm(call) if call.kind == "llm" else self._rlm(call)
        return details(summary, body, is_open=is_open)

    def _llm(self, call: Call) -> str:
        reply, limit = call.reply, self._size.llm
        parts = [_asked_by(call), self._text("Prompt", call.prompt, limit)]
        if reply and reply.reasoning:
            parts.append(self._text("Reasoning", reply.reasoning, limit))
        if reply and reply.text:
            how = ending(reply)
            parts.append(self._text(f"Reply ({how})" if how else "Reply", reply.text, limit))
        return "".join(parts) + self._error(call)

    def _rlm(self, call: Call) -> str:
        parts = [_asked_by(call)]
        if call.depth:
            parts.append(self._text("Question", call.prompt, self._size.llm))
        if call.context:
            card = call.context
            size = f", {card.chars:,} characters" if card.chars is not None else ""
            parts.append(
                f"<div>Context {inline(card.name, 200)}: {inline(card.schema or card.type, 600)}{size}</div>"
            )
        self._unseen_turns += max(0, len(call.turns) - self._size.turns)
        parts.append(items("".join(self._turn(turn, call) for turn in call.turns[: self._size.turns])))
        if call.answer is not None and call.depth:
            parts.append(self._text(f"Answer, from {call.how}", call.answer, self._size.llm))
        return "".join(parts) + self._error(call)

    def _turn(self, turn: Turn, call: Call) -> str:
        reply = turn.reply
        if reply is None:
            waits = "waiting for the model" if call.alive else f"{call.status} before the model replied"
            return f"<li>Turn {turn.number} · {waits}</li>"
        if reply.error:
            retried = f" · retried {reply.retries}×" if reply.retries else ""
            return f"<li><b>Turn {turn.number}</b> · ✗ {inline(str(reply.error), 600)}{retried}</li>"
        last = last_words(turn)
        parts = [f"<div>Last turn: {escape(last)}</div>"] if last else []
        parts += [self._text("Reasoning", reply.reasoning, self._size.rlm)] if reply.reasoning else []
        words, how = said(turn), ending(reply)
        if words:
            name = f"Reply ({inline(how, 200)})" if how else "Reply"
            parts.append(f"<div><b>{name}</b></div>{prose(self._cut(words, self._size.rlm))}")
        parts += [self._block(block, turn, call) for block in turn.blocks]
        calls = "".join(self._calls(block) for block in turn.blocks)
        return (
            f"<li><details><summary>{self._title(turn, call)}</summary>{''.join(parts)}</details>{calls}</li>"
        )

    def _title(self, turn: Turn, call: Call) -> str:
        code = f"<code>{escape(code_line(turn) or line(turn.reply.text if turn.reply else ''))}</code>"
        told = escape(" · ".join(turn_figures(turn, self._below)))
        figures = f" <small>· {told}</small>" if told else ""
        tags = "".join(f" · {tag}" for tag in self._tags(turn, call))
        return f"<b>Turn {turn.number}</b>{tags} · {code}{_tail(printed(turn))}{figures}"

    def _tags(self, turn: Turn, call: Call) -> list[str]:
        by_hand = turn.reply is not None and is_written(turn.reply, self._trace)
        tags = [
            f"{REPLAYED} replayed" if turn.reply and is_recorded(turn.reply) else "",
            WRITTEN if by_hand else "",
            *dict.fromkeys(decided(block) for block in turn.blocks),
            f"{HELD} waiting for you" if any(is_waiting(block, call) for block in turn.blocks) else "",
            f"{DIFFERS} differs from the record" if divergences(turn) else "",
            "✗ failed" if any(block.executed and block.executed.error for block in turn.blocks) else "",
        ]
        return [tag for tag in tags if tag]

    def _block(self, block: Block, turn: Turn, call: Call) -> str:
        done = block.executed
        if done is None:
            return self._open_block(block, call)
        how = decided(block)
        name = f"Block {block.number} · {seconds(done.seconds)}{f' · {how}' if how else ''}"
        parts = [self._text(name, done.code, self._size.rlm, code=True)]
        if done.stdout or done.stderr or done.error or "\nNote: " in done.shown:
            parts.append(self._text("Output, as the model saw it", done.shown, self._size.rlm))
        parts += [f"<div>{inline(told, 200)}</div>" for told in unseen(done)]
        parts += [self._outputs(block, (call.id, turn.number, block.number))]
        names = variables_line(done.variables)
        parts.append(f"<p>Variables: {inline(names, 600)}</p>" if names else "")
        return "".join([*parts, *map(self._divergence, done.divergences)])

    def _open_block(self, block: Block, call: Call) -> str:
        if block.held and is_waiting(block, call):
            return self._text(
                f"Block {block.number} is waiting for you", block.held.code, self._size.rlm, code=True
            )
        return f"<p>Block {block.number} {'is running' if call.alive else 'did not end'}</p>"

    def _divergence(self, found: Divergence) -> str:
        limit = self._size.llm
        recorded = self._text(f"{DIFFERS} {found.what}, as recorded", found.recorded, limit)
        return recorded + self._text(f"{DIFFERS} {found.what}, as found", found.found, limit)

    def _outputs(self, block: Block, place: tuple[str, int, int]) -> str:
        outputs, more = outputs_of(block)
        shown = [self._output(output, (*place, number)) for number, output in enumerate(outputs)]
        return "".join(shown) + (f"<div>{count(more, 'more output')}, in the trace</div>" if more else "")

    def _output(self, output: Output, place: _Place) -> str:
        told = escape(output_line(output))
        if isinstance(output, Table):
            grid = table(output, self._size.rows)
            return f"<div><b>T{told[1:]}</b></div>{grid}"
        if isinstance(output, Image):
            drawn = image(output)
            if self._figures is None or place in self._figures:
                return drawn
            self.left_out_figures[place] = len(drawn)
        return f"<div>{told}, in the trace</div>"

    def _calls(self, block: Block) -> str:
        found = list(groups(block.calls))
        shown = found[: self._size.calls]
        rest = [call for group in found[len(shown) :] for call in group]
        return items("".join(self._group(group) for group in shown) + self._more(rest))

    def _group(self, group: list[Call]) -> str:
        if len(group) == 1:
            return self._call(group[0])
        shown = group[: self._size.calls]
        ids = f"{inline(group[0].id, 200)}…{inline(group[-1].id, 200)}"
        site = group[0].site
        told = [batch_facts(group), *batch_figures(group, self._below)]
        told += [f"line {site.line}"] if site and site.line else []
        summary = f"<b>{ids}</b> batch of {len(group):,} {group[0].kind} · {' · '.join(told)} {strip(group)}"
        calls = "".join(self._call(call) for call in shown)
        return details(summary, items(f"{calls}{self._more(group[len(shown) :])}"))

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
        return f"<div><b>{inline(name, 200)}</b></div>{body}<p></p>"

    def _cut(self, text: str, limit: int) -> str:
        if len(text) <= limit + _SLACK:
            return text
        self._cut_texts += 1
        return cut(text, limit)


def _asked_by(call: Call) -> str:
    out, models = "", models_told(call)
    if call.site and call.site.line:
        code = inline(call.site.code, 200)
        out = f"<div>Asked by block {call.site.block}, line {call.site.line}: <code>{code}</code></div>"
    return out + (f"<div>{escape(models)}</div>" if models else "")


def _tail(text: str) -> str:
    return f" {escape(text)}" if text else ""


__all__ = ["html_document", "html_tree"]
