"""The run as an ordinary notebook (nbformat 4.5): a section per turn, the model's code in code cells.

`labextension/src/core/export/notebook.ts` makes the same bytes in the browser; the golden notebooks hold both to it.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from rlm_kernel.text import visible
from rlm_kernel.trace import Block, Call, CodeExecuted, ErrorInfo, Origin, RichOutput, Trace, Turn
from rlm_kernel.views.derived import (
    DIFFERS,
    EDITS,
    WRITTEN,
    decided,
    differ_words,
    differing,
    is_waiting,
    is_written,
    last_words,
    made_words,
)
from rlm_kernel.views.isolation import isolation_warning
from rlm_kernel.views.markdown import fenced, span
from rlm_kernel.views.outputs import Image, Table, Unshown, read_output
from rlm_kernel.views.sources import label, replies_of
from rlm_kernel.views.summary import (
    MARKS,
    REPLAYED,
    batch_facts,
    cost,
    count,
    facts,
    groups,
    is_recorded,
    line,
    rollups,
    said,
    seconds,
    tokens,
)

Cell = dict[str, Any]

GROUPS = 100
"""So many sub-calls or batches of a turn are listed."""
BATCH = 3
"""So many calls of a batch are."""

_NAMESPACE = (
    "The code below is the model's. It ran in a namespace of its own, in which {context}`llm_query`, "
    "`llm_query_batched`, `rlm_query`, `rlm_query_batched`, `SHOW_VARS`, `answer`, `FINAL` and `FINAL_VAR` were "
    "defined. To run it here, define those that it uses first. The outputs are those of the run."
)


def notebook_json(trace: Trace) -> str:
    """The notebook's file. It depends on the trace alone: the same trace makes the same text."""
    notebook = {
        "cells": _cells(trace),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _cells(trace: Trace) -> list[Cell]:
    steps = _steps(trace, trace.root) if trace.root else []
    return [_markdown("run", *_head(trace)), *steps, _markdown("answer", *_end(trace))]


def _steps(trace: Trace, root: Call) -> list[Cell]:
    cells: list[Cell] = []
    number = 0
    for turn in root.turns:
        # A cell's id is its place in the run, so that the same run makes the same notebook.
        place = f"turn-{turn.number}"
        cells.append(_markdown(place, *_turn(trace, turn, root)))
        for block in turn.blocks:
            if block.executed:
                number += 1
                cells.append(_code(f"{place}-block-{block.number}", number, block.executed))
        calls = [call for block in turn.blocks for call in block.calls]
        if calls:
            cells.append(_markdown(f"{place}-calls", "**Sub-calls**", "\n".join(_listed(calls))))
    return cells


def _head(trace: Trace) -> list[str]:
    started, root = trace.started, trace.root
    parts = [f"# Run {span(trace.run_id)}"]
    if started:
        parts += ["**Question**", fenced(started.query)]
    if root:
        parts.append(" · ".join(facts(root, rollups(root)[root.id])))
    danger = isolation_warning(trace)
    parts += [f"**⚠ {danger}**"] if danger else []
    parts += _label(trace)
    parts += _origin(trace)
    if started:
        about = [f"Model {span(root.model)}"] if root else []
        about += [f"isolation {span(started.isolation)}", f"started {span(started.started)}"]
        parts.append(" · ".join([*about, f"rlm_kernel {span(started.version)}"]))
    parts.append(_NAMESPACE.format(context=_context(root, alive=bool(danger)) if root else ""))
    return [*parts, *([f"**Note** {span(trace.warning)}"] if trace.warning else [])]


def _context(root: Call, *, alive: bool) -> str:
    card = root.context
    if card is None:
        return ""
    size = f", {card.chars:,} characters" if card.chars is not None else ""
    what = "the very object" if alive else "a copy of"
    return f"`context` ({what} {span(card.name)}: {span(card.schema or card.type)}{size}), "


def _origin(trace: Trace) -> list[str]:
    origin, replies, differ = trace.started and trace.started.origin, replies_of(trace), differing(trace)
    told = [_made(origin)] if origin else []
    told += [str(replies)] if replies else []
    told += [differ_words(differ)] if differ else []
    return [f"**Origin** {' · '.join(told)}"] if told else []


def _made(origin: Origin) -> str:
    edits = [name for name in EDITS if name in origin.edit]
    return made_words(origin.kind, span(origin.run), span(origin.at) if origin.at else "", ", ".join(edits))


def _label(trace: Trace) -> list[str]:
    tag = label(trace)
    return [f"*{tag}*"] if tag else []


def _turn(trace: Trace, turn: Turn, call: Call) -> list[str]:
    reply = turn.reply
    if reply is None:
        waits = "waiting for the model" if call.alive else f"{call.status} before the model replied"
        return [f"## Turn {turn.number} · {waits}"]
    bad = reply.error or any(block.executed and block.executed.error for block in turn.blocks)
    told = [f"## Turn {turn.number}", f"{MARKS['failed']} failed" if bad else "", seconds(reply.seconds)]
    told += [tokens(reply.usage), cost(reply.usage), f"retried {reply.retries}×" if reply.retries else ""]
    told += [
        f"{REPLAYED} replayed" if is_recorded(reply) else "",
        WRITTEN if is_written(reply, trace) else "",
    ]
    parts = [" · ".join(part for part in told if part)]
    last = last_words(turn)
    if last:
        parts.append(f"Last turn: {span(last)}")
    if reply.reasoning:
        parts += ["**Reasoning**", fenced(reply.reasoning)]
    words = said(turn)
    if words:
        parts += ["**Reply**", fenced(words)]
    if reply.finish_reason == "length":
        parts.append("The reply was cut off by the length limit.")
    if reply.error:
        parts += ["**Error**", fenced(str(reply.error))]
    return [*parts, *(told for block in turn.blocks for told in _block(block, call))]


def _block(block: Block, call: Call) -> list[str]:
    done = block.executed
    if done is None:
        state = "is running" if call.alive else "did not end"
        return [f"Block {block.number} {'is waiting for you' if is_waiting(block, call) else state}."]
    how = decided(block)
    parts = [f"Block {block.number}: {how}."] if how else []
    for found in done.divergences:
        parts += [
            f"{DIFFERS} {span(found.what)} of block {block.number}, as recorded",
            fenced(found.recorded),
        ]
        parts += ["As found", fenced(found.found)]
    return parts


def _listed(calls: list[Call]) -> list[str]:
    found = list(groups(calls))
    out: list[str] = []
    for group in found[:GROUPS]:
        if len(group) == 1:
            out.append(f"- {_call(group[0])}")
            continue
        ids = span(f"{group[0].id}…{group[-1].id}")
        out.append(f"- {ids} batch of {len(group):,} {group[0].kind}: {batch_facts(group)}")
        out += [f"    - {_call(call)}" for call in group[:BATCH]]
        out += _more(len(group) - BATCH, "    ")
    return out + _more(sum(len(group) for group in found[GROUPS:]), "")


def _more(number: int, indent: str) -> list[str]:
    return [f"{indent}- … {count(number, 'more call')} in the trace"] if number > 0 else []


def _call(call: Call) -> str:
    turns = f", {count(len(call.turns), 'turn')}" if call.kind == "rlm" else ""
    result = str(call.error) if call.error else call.answer
    gave = f" → {span(line(result))}" if result is not None else ""
    return f"{span(call.id)} {call.kind}{turns}, {MARKS[call.status]} {call.status}: {span(line(call.prompt))}{gave}"


def _end(trace: Trace) -> list[str]:
    end = trace.tree.end
    parts: list[str] = []
    if end and end.answer is not None:
        parts += ["## Answer", *_label(trace), fenced(end.answer)]
    if end and end.error:
        parts += ["## Error", fenced(str(end.error))]
    return parts or [f"## No answer: {trace.status}"]


def _markdown(cell_id: str, *parts: str) -> Cell:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": _lines("\n\n".join(parts))}


def _code(cell_id: str, number: int, done: CodeExecuted) -> Cell:
    outputs = [_stream("stdout", done.stdout), _stream("stderr", done.stderr)]
    outputs += [_display(output) for output in done.outputs]
    outputs.append(_failure(done.error) if done.error else None)
    return {
        "cell_type": "code",
        "execution_count": number,
        "id": cell_id,
        "metadata": {},
        "outputs": [output for output in outputs if output],
        "source": _lines(visible(done.code)),
    }


def _stream(name: str, text: str) -> Cell | None:
    return {"name": name, "output_type": "stream", "text": _lines(visible(text))} if text else None


def _failure(error: ErrorInfo) -> Cell:
    told = visible(error.traceback or str(error))
    return {
        "ename": visible(error.type),
        "evalue": visible(error.message),
        "output_type": "error",
        "traceback": told.split("\n"),
    }


def _display(output: RichOutput) -> Cell | None:
    found = read_output(output)
    if isinstance(found, Unshown):
        return None
    data = {found.mime: found.text} if isinstance(found, Image) else _table(found)
    return {"data": data, "metadata": {}, "output_type": "display_data"}


def _table(table: Table) -> Cell:
    labels = [""] * len(table.rows) if table.index is None else table.index
    rows = list(zip(labels, table.rows, strict=True))
    head = "".join(f"<th>{_html(name)}</th>" for name in ["", *table.columns])
    body = "".join(
        f"<tr><th>{_html(name)}</th>{''.join(f'<td>{_html(cell)}</td>' for cell in row)}</tr>"
        for name, row in rows
    )
    told = _size(table)
    lines = [
        "\t".join(map(_flat, row)) for row in (["", *table.columns], *([name, *row] for name, row in rows))
    ]
    return {
        "text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n<p>{told}</p>",
        "text/plain": _lines("\n".join([*lines, told])),
    }


def _size(table: Table) -> str:
    def part(shown: int, total: int, noun: str) -> str:
        return count(total, noun) if shown == total else f"{shown:,} of {count(total, noun)}"

    rows = part(len(table.rows), table.total_rows, "row")
    return f"{rows}, {part(len(table.columns), table.total_columns, 'column')}"


def _html(text: str) -> str:
    return escape(visible(text))


def _flat(text: str) -> str:
    return visible(text).replace("\n", " ").replace("\t", " ")


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + [part for part in parts[-1:] if part]


__all__ = ["BATCH", "GROUPS", "notebook_json"]
