"""The run as a notebook: valid, the same each time, and nothing that a model says is read as markup."""

import dataclasses
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import mistune
import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import GOLDEN
from trace_examples import MARKUP, STORIES, Story, answered, batch, cut_off, fenced, one_call, rich, wide
from trace_strategies import PLAN, RANDOM, Plan, told
from view_checks import hidden

from rlm_kernel.trace import MODE_LABELS, Event, Mode, Site, Trace
from rlm_kernel.views import markdown
from rlm_kernel.views.notebook import notebook_json

TEXTS = st.text(st.sampled_from("`~ \n#<b>&$*_-\\!a🧪\u2028\ud83d"), max_size=40) | st.text(max_size=40)


def opened(trace: Trace) -> nbformat.NotebookNode:
    """The notebook, which is valid and hides nothing."""
    text = notebook_json(trace)
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert hidden("".join(texts(json.loads(text)))) == []
    return notebook


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in texts(item)]


def cell(notebook: nbformat.NotebookNode, cell_id: str) -> Any:
    return next(each for each in notebook.cells if each.id == cell_id)


def kinds(notebook: nbformat.NotebookNode) -> list[str]:
    return [f"{each.cell_type} {each.id}" for each in notebook.cells]


def test_a_run_is_a_section_per_turn() -> None:
    notebook = opened(one_call())
    assert kinds(notebook) == [
        "markdown run",
        "markdown turn-1",
        "code turn-1-block-1",
        "markdown turn-2",
        "code turn-2-block-1",
        "markdown answer",
    ]
    assert cell(notebook, "turn-1").source == "## Turn 1 · 0.10 s · 120 → 12 tokens · $0.0010"
    code = cell(notebook, "turn-1-block-1")
    assert (code.source, code.execution_count) == ("print(len(context))", 1)
    assert code.outputs == [{"name": "stdout", "output_type": "stream", "text": "3\n"}]
    assert cell(notebook, "answer").source == "## Answer\n\n```text\n1 and 3\n```"


def test_the_head_says_whose_code_it_is_and_what_it_needs() -> None:
    head = cell(opened(one_call()), "run").source
    assert "```text\nWhich papers disagree?\n```\n\n✓ finished · 0.70 s · 280 → 32 tokens · $0.0030" in head
    assert "in which `context` (a copy of `papers`: `list of 3 str`, 1,200 characters), `llm_query`" in head
    assert "To run it here, define those that it uses first." in head


def test_the_calls_of_a_batch_are_counted_and_the_first_told() -> None:
    assert cell(opened(batch()), "turn-1-calls").source.split("\n") == [
        "**Sub-calls**",
        "",
        "- `0.1.1…0.1.5` batch of 5 llm: 4 finished, 1 failed",
        "    - `0.1.1` llm, ✓ finished: `Sum up p1` → `the sum of 0.1.1`",
        "    - `0.1.2` llm, ✓ finished: `Sum up p2` → `the sum of 0.1.2`",
        "    - `0.1.3` llm, ✓ finished: `Sum up p3` → `the sum of 0.1.3`",
        "    - … 2 more calls in the trace",
    ]


def test_thousands_of_calls_make_a_short_list() -> None:
    one_by_one = cell(opened(wide(5000, batched=False)), "turn-1-calls").source
    assert one_by_one.endswith("\n- … 4,900 more calls in the trace")
    assert len(notebook_json(wide(5000, batched=True))) < 10_000


def test_outputs_are_those_of_the_run() -> None:
    notebook = opened(rich())
    out, err, figure, table = cell(notebook, "turn-1-block-1").outputs
    assert (out.name, err.name, err.text) == ("stdout", "stderr", "a warning")
    assert list(figure.data) == ["image/png"]
    assert table.data["text/html"].startswith("<table><thead><tr><th></th><th>paper</th><th>&lt;/script&gt;")
    assert table.data["text/plain"].endswith("y\t2\ta b c\n2 of 5,000 rows, 2 columns")
    (failure,) = cell(notebook, "turn-1-block-2").outputs
    assert (failure.ename, failure.evalue, failure.traceback) == (
        "Wrong",
        MARKUP,
        ["line 1, in <block 2>", MARKUP],
    )


@pytest.mark.parametrize("mime", ["text/html", "image/svg+xml", "application/javascript", "text/markdown"])
def test_markup_of_a_stranger_is_no_output(mime: str) -> None:
    trace = rich()
    done = next(event for event in trace.events if hasattr(event, "outputs"))
    output = dataclasses.replace(done.outputs[0], data={mime: MARKUP})
    events: list[Event] = [
        dataclasses.replace(event, outputs=(output,)) if event is done else event for event in trace.events
    ]
    outputs = cell(opened(Trace(events)), "turn-1-block-1").outputs
    assert [each.output_type for each in outputs] == ["stream", "stream"]


def test_a_run_that_stops_says_where() -> None:
    trace = cut_off()
    trace.warning = "the last line `is` <gone>"
    notebook = opened(trace)
    assert "**Note** ``the last line `is` <gone>``" in cell(notebook, "run").source
    assert cell(notebook, "turn-1").source.endswith("Block 1 did not end.")
    assert "`0.1.2` llm, ✂ cut off: `Sum up p2`" in cell(notebook, "turn-1-calls").source
    assert cell(notebook, "answer").source == "## No answer: cut off"


def test_a_run_under_way_says_so() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, "system", "Which?")
    assert cell(opened(story.trace), "turn-1").source == "## Turn 1 · waiting for the model"
    story.reply("0", 1, fenced("llm_query('a')"))
    story.llm("0.1.1", "a", site=Site(block=1, line=1, code="llm_query('a')"))
    assert cell(opened(story.trace), "turn-1").source.endswith("Block 1 is running.")
    assert cell(opened(story.trace), "answer").source == "## No answer: running"


def test_nothing_yet() -> None:
    assert kinds(opened(Trace(live=True))) == ["markdown run", "markdown answer"]


@pytest.mark.parametrize("mode", sorted(MODE_LABELS))
def test_an_answer_says_when_no_live_model_gave_it(mode: Mode) -> None:
    notebook = opened(answered(mode))
    for place in ("run", "answer"):
        said = f"\n\n*{MODE_LABELS[mode]}*\n\n" in cell(notebook, place).source
        assert said == bool(MODE_LABELS[mode])


def rendered(source: str) -> str:
    return str(mistune.create_markdown(escape=False, plugins=["table", "url", "strikethrough"])(source))


@given(text=TEXTS)
def test_no_text_gets_out_of_its_fence(text: str) -> None:
    html = rendered(f"before\n\n{markdown.fenced(text)}\n\n**after**").replace("\n</code>", "</code>")
    shown = re.fullmatch(
        r'<p>before</p>\n<pre><code class="language-text">(.*)</code></pre>\n<p><strong>after</strong></p>\n',
        html,
        re.DOTALL,
    )
    assert shown
    assert "<" not in shown[1]
    assert hidden(unescape(shown[1])) == []


@given(text=TEXTS.map(lambda text: text.replace("\n", " ")))
def test_no_line_gets_out_of_its_span(text: str) -> None:
    html = rendered(f"- before {markdown.span(text)} **after**")
    shown = re.fullmatch(r"<ul>\n<li>before (.*) <strong>after</strong></li>\n</ul>\n", html, re.DOTALL)
    assert shown
    inside = shown[1].removeprefix("<code>").removesuffix("</code>")
    assert "<" not in inside


def test_nothing_of_a_model_is_read_as_markup() -> None:
    for each in opened(rich()).cells:
        if each.cell_type == "markdown":
            tags = set(re.findall(r"</?([a-z0-9]+)", rendered(each.source)))
            assert tags <= {"h1", "h2", "p", "pre", "code", "strong", "em", "ul", "li"}


@settings(deadline=None, max_examples=50)
@given(plan=PLAN, random=RANDOM)
def test_any_beginning_of_a_run_is_a_valid_notebook(plan: Plan, random: Any) -> None:
    events = told(plan, random)
    for size in {0, 1, 2, 3, len(events) // 2, len(events)}:
        opened(Trace(events[:size], live=size % 2 == 0))


@pytest.mark.parametrize("name", STORIES)
def test_a_golden_notebook_is_valid(name: str) -> None:
    notebook = nbformat.read(Path(GOLDEN, f"{name}.ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert notebook == opened(STORIES[name](None)) or name == "cut-off"  # that one's file is torn
