"""Tables and figures of a block: shown as what they are when they are sound, as a line when they are not."""

import json
from html import unescape
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_examples import Story, fenced
from trace_strategies import OUTPUT, PLAN, RANDOM, Plan, png, told
from view_checks import hidden, read

from rlm_kernel.repl.rich import JPEG, PNG, TABLE
from rlm_kernel.trace import RichOutput, Trace
from rlm_kernel.views import call_text, html_tree, text_tree
from rlm_kernel.views.outputs import output_line, read_output

LIMIT = 128 * 1024


def table(width: int = 2, height: int = 3, total: int | None = None, **more: Any) -> RichOutput:
    """A table whose cells name their places."""
    data = {
        "columns": [f"c{column}" for column in range(width)],
        "rows": [[f"{row}.{column}" for column in range(width)] for row in range(height)],
        "index": [f"r{row}" for row in range(height)],
        "total_rows": height if total is None else total,
        "total_columns": width,
    }
    return RichOutput(data={TABLE: json.dumps({**data, **more})})


def figure(size: int = 3000) -> RichOutput:
    return RichOutput(data={PNG: png(b"\0" * (size - 24))})


def shown(*outputs: RichOutput, printed: str = "") -> Trace:
    """A run whose one block shows these."""
    story = Story()
    story.root()
    story.reply("0", 1, fenced("display(it)"))
    story.code("0", 1, "display(it)", outputs=outputs, stdout=printed)
    return story.end(answer="done")


def html_of(*outputs: RichOutput) -> str:
    html = html_tree(shown(*outputs))
    read(html)
    assert len(html) <= LIMIT
    return html


# Tables


def test_a_table_is_a_table() -> None:
    assert (
        "<div><b>Table, 2 × 2</b></div><table>"
        "<thead><tr><th></th><th>c0</th><th>c1</th></tr></thead>"
        "<tbody><tr><th>r0</th><td>0.0</td><td>0.1</td></tr>"
        "<tr><th>r1</th><td>1.0</td><td>1.1</td></tr></tbody></table></details>"
    ) in html_of(table(2, 2))


def test_a_table_without_an_index_has_no_column_for_it() -> None:
    assert "<thead><tr><th>c0</th></tr></thead><tbody><tr><td>0.0</td></tr>" in html_of(
        table(1, 1, index=None)
    )


def test_a_large_table_says_how_much_of_it_is_here() -> None:
    html = html_of(table(12, 100, 12_345, total_columns=40))
    assert "<div><b>Table, 12,345 × 40</b></div>" in html
    assert "<div>20 of 12,345 rows, 10 of 40 columns</div>" in html
    assert "<td>19.9</td></tr></tbody>" in html


def test_cells_are_escaped_and_cut_and_hide_nothing() -> None:
    html = html_of(table(1, 1, rows=[["<b>\u202e" + "x" * 150]], columns=["<script>"]))
    assert f"<td>&lt;b&gt;\\u202e{'x' * 75}…</td>" in html
    assert "<th>&lt;script&gt;</th>" in html


def test_a_table_without_columns_or_rows_is_a_line() -> None:
    html = html_of(table(0, 0, 7))
    assert "<div><b>Table, 7 × 0</b></div><div>0 of 7 rows</div>" in html
    assert "<table>" not in html


# Figures


def test_a_figure_is_in_the_page() -> None:
    output = figure(34 * 1024)
    assert f'<div><img alt="figure, 34 KB" src="data:image/png;base64,{output.data[PNG]}"></div>' in html_of(
        output
    )


def test_figures_that_do_not_fit_are_counted() -> None:
    html = html_of(figure(60_000), figure(60_001), figure(2000))
    assert html.count("<img") == 2
    assert "<div>figure (png, 59 KB), in the trace</div>" in html
    assert "<p><b>Note</b> 1 figure not shown here; the trace has them.</p>" in html
    assert "shortened" not in html


def test_a_figure_gives_way_to_words() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("c" * 7000))
    story.code("0", 1, "c" * 7000, outputs=[figure(98_000)])
    html = html_tree(story.end(answer="x"))
    assert "c" * 7000 in html
    assert "<img" not in html
    assert "figure (png, 96 KB), in the trace" in html


def test_the_figures_of_the_root_come_first() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("rlm_query('p')"))
    story.rlm("0.1.1", "p")
    story.reply("0.1.1", 1, fenced("plot()"))
    story.code("0.1.1", 1, "plot()", outputs=[figure(60_000)])
    story.code("0", 1, "rlm_query('p')", outputs=[figure(61_000)])
    html = html_tree(story.end(answer="x"))
    assert f"base64,{figure(61_000).data[PNG]}" in html
    assert "figure (png, 59 KB), in the trace" in html


def test_a_page_without_a_limit_has_every_figure() -> None:
    html = html_tree(shown(*[figure(100_000)] * 3), max_bytes=None)
    assert html.count("<img") == 3
    assert "Note" not in html


@pytest.mark.parametrize("max_bytes", [0, 2000, 4000, 8000, 20_000])
def test_any_size_holds(max_bytes: int) -> None:
    trace = shown(*[figure(1500), table(10, 100), figure(3000)] * 3)
    html = html_tree(trace, max_bytes=max_bytes)
    read(html)
    assert len(html.encode()) <= max(max_bytes, 1500)


# What is not sound


@pytest.mark.parametrize(
    ("mime", "text", "words"),
    [
        ("text/html", "<script>alert(1)</script>", "output (text/html, 25 bytes)"),
        ("image/svg+xml", "<svg onload=alert(1)>", "output (image/svg+xml, 21 bytes)"),
        ("image/png", "", "output (image/png, 0 bytes)"),
        ("image/png", "AAAA", "output (image/png, 4 bytes)"),
        ("image/png", png(b"") + '" onerror="alert(1)', "output (image/png, 51 bytes)"),
        ("image/png", png(b"", 100_000, 100_000), "output (image/png, 32 bytes)"),
        ("image/png", png(b"")[:20], "output (image/png, 20 bytes)"),
        ('image/png" onload="x', png(b""), 'output (image/png" onload="x, 32 bytes)'),
        ("IMAGE/PNG", png(b""), "output (IMAGE/PNG, 32 bytes)"),
        (TABLE, "{", f"output ({TABLE}, 1 byte)"),
        (TABLE, "[" * 100_000, f"output ({TABLE}, 98 KB)"),
        (TABLE, '{"columns":{},"rows":3}', f"output ({TABLE}, 23 bytes)"),
        ("", "x", "output (of no type, 1 byte)"),
        ("<b>\u202e\nx", "x", "output (<b>\\u202e, 1 byte)"),
    ],
    ids=range(14),
)
def test_what_is_not_sound_is_a_line(mime: str, text: str, words: str) -> None:
    output = RichOutput(data={mime: text})
    assert output_line(read_output(output)) == words
    html = html_of(output)
    assert f"<div>{words}, in the trace</div>" in unescape(html)
    assert "<img" not in html
    assert "<table" not in html
    assert f"   └─ → {words}\n" in text_tree(shown(output))


def test_the_first_sound_type_of_several_is_shown() -> None:
    several = RichOutput(data={"text/html": "<b>", PNG: "no", JPEG: "/9j/AAAA", TABLE: "{"})
    assert '<img alt="figure, 6 bytes" src="data:image/jpeg;base64,/9j/AAAA">' in html_of(several)


def test_an_output_of_nothing_is_a_line() -> None:
    assert "<div>output (of no type, 0 bytes), in the trace</div>" in html_of(RichOutput(data={}))


def test_more_outputs_than_a_block_may_have_are_counted() -> None:
    trace = shown(*[table()] * 5000)
    assert "<div>4,992 more outputs, in the trace</div>" in html_tree(trace)
    assert "→ 4,992 more outputs" in text_tree(trace)


# In the text


def test_the_text_tree_has_a_line_for_each() -> None:
    trace = shown(table(4, 100, 12_345), figure(34 * 1024), printed="here\n")
    assert text_tree(trace).splitlines()[3:7] == [
        "└─ turn 1  display(it)",
        "   ├─ → here",
        "   ├─ → table, 12,345 × 4",
        "   └─ → figure (png, 34 KB)",
    ]
    assert trace.root
    assert call_text(trace.root).endswith(
        "── output of the last turn\nhere\n\ntable, 12,345 × 4\nfigure (png, 34 KB)"
    )


def test_a_closed_turn_tells_what_it_showed() -> None:
    html = html_tree(shown(table(), figure(), printed="   c0  c1\n"))
    assert "<code>display(it)</code> → table, 3 × 2, figure (png, 3 KB) <small>" in html


# Anything


@settings(deadline=None, max_examples=150)
@given(
    plan=PLAN,
    random=RANDOM,
    outputs=st.lists(OUTPUT, max_size=10),
    max_bytes=st.sampled_from([LIMIT, 20_000, None]),
)
def test_any_outputs_give_harmless_html_of_any_size(
    plan: Plan, random: Random, outputs: list[RichOutput], max_bytes: int | None
) -> None:
    trace = Trace(told(plan, random, outputs))
    html = html_tree(trace, max_bytes=max_bytes)
    seen = read(html)  # balanced, our few tags only, no attribute but a list's own and a checked image
    assert hidden(seen.text) == []
    assert max_bytes is None or len(html.encode()) <= max_bytes
    assert hidden(text_tree(trace)) == []
    assert [hidden(call_text(call)) for call in trace.walk() if hidden(call_text(call))] == []
