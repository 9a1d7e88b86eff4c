"""The tree as static HTML: few tags, one attribute, everything escaped, never larger than it may be."""

import dataclasses
import re
from html import escape, unescape
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from trace_examples import (
    STORIES,
    Story,
    answered,
    batch,
    cut_off,
    error,
    exhausted,
    fenced,
    nested,
    one_call,
    wide,
)
from trace_strategies import PLAN, RANDOM, Plan, told
from view_checks import LIST, hidden, read

from rlm_kernel.trace import (
    MODE_LABELS,
    Batch,
    BlockHeld,
    CallFinished,
    CallStarted,
    CodeExecuted,
    ContextCard,
    Divergence,
    ErrorInfo,
    Event,
    Message,
    Mode,
    ModelAsked,
    ModelReplied,
    Origin,
    RichOutput,
    RunContinued,
    RunFinished,
    RunPaused,
    RunStarted,
    Site,
    Trace,
    Usage,
    Variable,
    VariableChanges,
)
from rlm_kernel.views import html_document, html_tree, live_bundle

LIMIT = 128 * 1024


def test_one_call() -> None:
    assert html_tree(one_call()) == (
        "<div><p><b>Question</b> Which papers disagree?</p>\n"
        f"{LIST}<li><details open>"
        "<summary><b>0 rlm</b> big · ✓ finished · 0.70 s · 280 → 32 tokens · $0.0030</summary>"
        "<div>Context papers: list of 3 str, 1,200 characters</div>"
        f"{LIST}<li><details><summary><b>Turn 1</b> · <code>print(len(context))</code> → 3"
        " <small>· 0.20 s · 120 → 12 tokens · $0.0010</small></summary>"
        "<div><b>Block 1 · 0.10 s</b></div><pre><code>print(len(context))</code></pre><p></p>"
        "<div><b>Output, as the model saw it</b></div><pre>3\n</pre><p></p></details></li>"
        "<li><details><summary><b>Turn 2</b> · <code>answer[&quot;content&quot;] = &quot;1 and 3&quot;</code>"
        " <small>· 0.20 s · 160 → 20 tokens · $0.0020</small></summary>"
        "<div><b>Block 1 · 0.10 s</b></div>"
        "<pre><code>answer[&quot;content&quot;] = &quot;1 and 3&quot;\nanswer[&quot;ready&quot;] = True</code></pre><p></p>"
        "<p>Variables: ~answer: dict</p></details></li></ul></details></li></ul>\n"
        "<p><b>Answer</b></p><p>1 and 3</p>\n"
        "<p><small>run papers-1 · 1.00 s · isolation: worker · trace: not on disk</small></p></div>"
    )


def test_nothing_yet() -> None:
    assert html_tree(Trace(live=True)) == "<p>A run that has not begun.</p>"


@pytest.mark.parametrize("name", STORIES)
def test_every_story_is_well_formed_and_hides_nothing(name: str) -> None:
    trace = STORIES[name](None)
    seen = read(html_tree(trace))
    assert hidden(seen.text) == []
    assert seen.tags["summary"] == seen.tags["details"]
    whole = html_document(trace)
    assert whole.startswith('<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>')
    assert read(whole, document=True).tags["details"] == seen.tags["details"]


@settings(deadline=None, max_examples=60)
@given(plan=PLAN, random=RANDOM)
def test_any_run_is_well_formed_and_has_all_its_calls(plan: Plan, random: Any) -> None:
    trace = Trace(told(plan, random))
    html = html_tree(trace)
    read(html)
    read(html_document(trace), document=True)
    assert all(f"<b>{call.id} {call.kind}</b>" in html for call in trace.walk())


@settings(deadline=None, max_examples=30)
@given(plan=PLAN, random=RANDOM)
def test_any_beginning_of_a_run_is_well_formed(plan: Plan, random: Any) -> None:
    events = told(plan, random)
    for size in {0, 1, 2, 3, len(events) // 2, len(events) - 1}:
        read(html_tree(Trace(events[:size], live=size % 2 == 0)))


PAYLOADS = [
    "<script>alert(1)</script>",
    "</pre><script>alert(1)</script>",
    "</code></pre></details><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<form action=//evil.example><input name=key></form>",
    "<math><mtext><style><img src onerror=alert(1)></style></mtext></math>",
    "<object data=data:text/html;base64,PHNjcmlwdD4=></object>",
    "<details open ontoggle=alert(1)>",
    "<!-- --><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "</title><script>alert(1)</script>",
    "<ScRiPt\n>alert(1)</sCrIpT\t>",
    "<img/src='x'/onerror='alert(1)'",
    "\x00<script\x00>alert(1)</script>",
    "\u202e<b onclick=alert(1)>\u202d",
    "${alert(1)} {{constructor.constructor('alert(1)')()}}",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
]

SLOTS: list[Event] = [
    RunStarted(
        run_id="r",
        query="q",
        started="s",
        version="v",
        mode="live",
        isolation="i",
        settings={"model": "m"},
        context=ContextCard(name="n", type="t", schema="s", preview="p", hash="h", chars=3),
        origin=Origin(kind="fork", run="r", at="0.1", edit={"hint": "look again"}),
    ),
    CallStarted(
        call_id="0",
        kind="rlm",
        depth=0,
        model="m",
        prompt="p",
        context=ContextCard(name="n", type="t", schema="s", preview="p", hash="h"),
    ),
    ModelAsked(call_id="0", turn=1, messages=(Message(role="system", content="c"),), last="l"),
    ModelReplied(
        call_id="0",
        turn=1,
        text="t",
        model="m",
        mode="live",
        seconds=1,
        request_hash="h",
        usage=Usage(requests=1),
        finish_reason="f",
        reasoning="r",
    ),
    CallStarted(
        call_id="0.1.1",
        kind="rlm",
        depth=1,
        model="m",
        prompt="p",
        context=ContextCard(name="n", type="t", schema="s"),
        site=Site(block=1, line=1, code="c"),
    ),
    ModelReplied(
        call_id="0.1.1",
        turn=1,
        text="",
        model="m",
        mode="live",
        seconds=1,
        request_hash="h",
        error=ErrorInfo(type="t", message="m", traceback="t"),
    ),
    CallFinished(
        call_id="0.1.1",
        status="failed",
        answer="a",
        how="h",
        error=ErrorInfo(type="t", message="m", traceback="t"),
    ),
    *(
        CallStarted(
            call_id=f"0.1.{number}",
            kind="llm",
            depth=1,
            model="m",
            prompt="p",
            batch=Batch(id="b", index=number - 2, size=2),
            site=Site(block=1, line=1, code="c"),
        )
        for number in (2, 3)
    ),
    ModelReplied(
        call_id="0.1.2",
        turn=1,
        text="t",
        model="m",
        mode="live",
        seconds=1,
        request_hash="h",
        finish_reason="length",
        reasoning="r",
    ),
    CallFinished(call_id="0.1.2", status="finished", how="h"),
    CodeExecuted(
        call_id="0",
        turn=1,
        block=1,
        code="c",
        stdout="s",
        stderr="e",
        shown="s",
        error=ErrorInfo(type="t", message="m", traceback="t"),
        variables=VariableChanges(
            added=(Variable(name="n", type="t", size="s", preview="p"),),
            changed=(Variable(name="n", type="t"),),
            removed=("r",),
        ),
        outputs=(RichOutput(data={"text/html": "d"}),),
        decision="edited",
        divergences=(Divergence(what="output", recorded="r", found="f"),),
    ),
    BlockHeld(call_id="0.1.1", turn=1, block=1, code="c"),
    RunContinued(seconds=1, call_id="0"),
    RunPaused(
        call_id="0",
        turn=1,
        error=ErrorInfo(type="t", message="m", traceback="t"),
        retry_at=1,
        until=2,
        tries=1,
    ),
    CallFinished(call_id="0", status="finished", answer="a", how="h"),
    RunFinished(status="finished", answer="a", error=ErrorInfo(type="t", message="m", traceback="t")),
]


def poisoned(value: Any, hint: Any, payload: str) -> Any:
    """The value with every text replaced that its type leaves open."""
    if value is None or get_origin(hint) is Literal:
        return value
    if isinstance(value, str):
        return payload
    if isinstance(value, tuple):
        return tuple(poisoned(part, get_args(hint)[0], payload) for part in value)
    if isinstance(value, dict):
        return dict.fromkeys([payload, *value], payload)
    if not dataclasses.is_dataclass(value):
        return value
    hints = get_type_hints(type(value))
    fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    found = {
        name: poisoned(part, _bare(hints[name]), payload)
        for name, part in fields.items()
        if name != "call_id"
    }
    return dataclasses.replace(value, **found)  # type: ignore[type-var]


def _bare(hint: Any) -> Any:
    return (
        hint if get_origin(hint) else next((part for part in get_args(hint) if part is not type(None)), hint)
    )


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_no_text_of_a_trace_becomes_markup(payload: str) -> None:
    trace = Trace([poisoned(event, type(event), payload) for event in SLOTS])
    trace.warning = payload
    trace.path = Path.cwd() / payload.replace("\x00", "")  # its place is all of the payload
    plain = read(html_tree(Trace(SLOTS)))
    seen = read(html_tree(trace))
    assert seen.tags["details"] == plain.tags["details"]
    assert seen.text.count("alert(1)") >= 20 or "alert" not in payload
    assert hidden(seen.text) == []
    read(html_document(trace), document=True)
    read(live_bundle(trace, 1.0)["text/html"])


def test_no_text_of_an_id_becomes_markup() -> None:
    story = Story()
    story.root()
    story.llm("0.1.<script>alert(1)</script>", "p")
    read(html_tree(story.stop()))


@pytest.mark.parametrize("letter", ["x", "&", "'", "\x00", "\u202e", "語", "\ud83d", "\n"], ids=ascii)
def test_huge_texts_are_shortened_and_that_is_said(letter: str) -> None:
    huge = letter * 300_000
    story = Story(huge)
    story.root()
    for turn in (1, 2, 3):
        story.ask("0", turn, huge)
        story.reply("0", turn, fenced(huge))
        story.code("0", turn, huge, stdout=huge)
    story.finish("0", answer=huge, how="FINAL")
    html = html_tree(story.end(answer=huge, error=ErrorInfo(type="E", message=huge)))
    assert len(html.encode()) <= LIMIT
    read(html)
    assert " long texts shortened here; the trace has them in full." in html
    assert "characters left out" in html


def test_a_text_that_fits_is_not_shortened() -> None:
    assert "shortened" not in html_tree(nested())


@pytest.mark.parametrize("calls", [300, 5000])
@pytest.mark.parametrize("batched", [True, False])
def test_many_calls_are_left_out_and_counted(calls: int, batched: bool) -> None:
    trace = wide(calls, batched=batched, prompt="Sum up " * 30, text="It says " * 30)
    html = html_tree(trace)
    assert len(html.encode()) <= LIMIT
    read(html)
    shown = sum(f"<b>{call.id} llm</b>" in html for call in trace.walk())
    assert shown < calls
    assert f"{calls - shown:,} calls not shown here; the trace has them all." in html


def test_calls_within_those_left_out_are_counted() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("..."))
    for index in range(400):
        child = f"0.1.{index + 1}"
        story.rlm(child, "Check " * 40, batch=Batch(id="0.1.1", index=index, size=400))
        story.reply(child, 1, fenced("x" * 500))
        story.llm(f"{child}.1.1", "Sum up " * 40)
    trace = story.stop()
    html = html_tree(trace)
    assert len(html.encode()) <= LIMIT
    shown = sum(f"<b>{call.id} {call.kind}</b>" in html for call in trace.walk())
    assert f"{801 - shown} calls not shown here" in html


def test_many_turns_fit() -> None:
    story = Story()
    story.root()
    for turn in range(1, 2001):
        story.reply("0", turn, fenced(f"print(context[{turn}])"))
        story.code("0", turn, f"print(context[{turn}])", stdout="a paper")
    html = html_tree(story.end(answer="done"))
    assert len(html.encode()) <= LIMIT
    assert "<p><b>Answer</b></p><p>done</p>" in html
    assert "not shown here; the trace has them" in html
    read(html)


def test_a_long_name_does_not_make_a_long_page() -> None:
    long = "m" * 300_000
    story = Story(context=ContextCard(name=long, type=long, schema=long))
    story.root()
    story.reply("0", 1, "x", model=long)
    html = html_tree(story.end())
    assert len(html.encode()) <= LIMIT


def test_a_page_has_everything() -> None:
    trace = wide(500, batched=True, prompt="Sum up " * 50, text="z" * 3000)
    page = html_document(trace)
    assert all(f"<b>{call.id} {call.kind}</b>" in page for call in trace.walk())
    assert "shortened" not in page
    assert "not shown" not in page


@pytest.mark.parametrize("mode", sorted(MODE_LABELS))
def test_an_answer_says_when_no_live_model_gave_it(mode: Mode) -> None:
    label = MODE_LABELS[mode]
    note = f" <i>({escape(label)})</i>" if label else ""
    assert f"<p><b>Answer</b>{note}</p><p>1 and 3</p>" in html_tree(answered(mode))


def rows(trace: Trace) -> list[str]:
    """What stands in the rows of a tree while they are closed."""
    return [
        unescape(re.sub("<.*?>", "", row)) for row in re.findall("<summary>(.*?)</summary>", html_tree(trace))
    ]


def test_an_unknown_price_is_not_shown_as_nothing() -> None:
    assert [row for row in rows(nested()) if "$" in row] == [
        'Turn 2 · FINAL("1 and 3") · 0.20 s · 150 → 8 tokens · $0.0020'
    ]


def test_a_batch_says_how_it_stands() -> None:
    assert rows(batch())[2] == (
        "0.1.1…0.1.5 batch of 5 llm · 4 finished, 1 failed · 1.40 s · 400 → 40 tokens · line 1 ✓✓✓✗✓"
    )


def test_a_large_batch_has_a_sign_for_its_first_calls() -> None:
    assert rows(wide(100, batched=True))[2].endswith(f"line 1 {'✓' * 60} +40")


def test_closed_rows_tell_what_is_below_them_and_what_came_of_it() -> None:
    assert rows(nested())[:4] == [
        "0 rlm big · ✓ finished · 1.50 s · 2 sub-calls · 460 → 39 tokens",
        'Turn 1 · found = rlm_query("Check paper 1") → It is not. · 1.00 s · 2 sub-calls · 310 → 31 tokens',
        "0.1.1 rlm big · ✓ finished · 0.70 s · 1 sub-call · 190 → 19 tokens · line 1 — Check paper 1 → It is not.",
        'Turn 1 · FINAL(llm_query("Is it true?")) · 0.50 s · 1 sub-call · 190 → 19 tokens',
    ]


def test_closed_rows_tell_what_failed_inside() -> None:
    assert rows(batch())[1].endswith("5 sub-calls · 500 → 50 tokens · 1 failed inside")
    assert rows(batch())[6].endswith("retried 3× — Sum up p4 ✗ ServerFailed: 500 after 3 retries")
    assert rows(error())[1].startswith("Turn 1 · ✗ failed · print(contxt) ✗ NameError: name 'contxt' is not")


def test_a_turn_whose_reply_was_tried_again_or_cut_short_says_so() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "So it", retries=2, finish_reason="length")
    html = html_tree(story.end(answer="x"))
    assert "retried 2× · cut off by the length limit</small></summary>" in html
    assert "<div><b>Reply (cut off by the length limit)</b></div><p>So it</p>" in html


def test_a_reply_by_another_model_than_the_one_asked_for_says_so() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "x", model="big-2026")
    assert "<div>Model asked for: big; answered: big-2026</div>" in html_tree(story.end())
    assert "Model asked for" not in html_tree(one_call())


def test_an_answer_at_a_limit_says_how_it_came_about() -> None:
    assert "<p><b>Answer</b> <i>(plain text of the last turn)</i></p>" in html_tree(exhausted())


def test_a_warning_is_shown() -> None:
    trace = cut_off()
    trace.warning = "the last line is <gone>"
    assert "<p><b>Note</b> the last line is &lt;gone&gt;</p>" in html_tree(trace)


def test_a_reply_cut_short_says_so() -> None:
    html = html_tree(Trace(SLOTS))
    assert "<div><b>Reply (cut off by the length limit)</b></div>" in html


# The one attribute


@pytest.mark.parametrize(
    "markup",
    [
        "<ul></ul>",
        '<ul style="list-style-type:none;color:red"></ul>',
        "<ul style='list-style-type:none'></ul>",
        '<ul style="list-style-type:none" class="x"></ul>',
        '<ul STYLE="list-style-type:none"></ul>',
        '<ul style="list-style-type&#58;none"></ul>',
        '<li style="list-style-type:none"></li>',
        '<p style="list-style-type:none"></p>',
        "<p><br class=x></p>",
        "<br>",
    ],
)
def test_the_check_of_these_tests_allows_one_attribute_only(markup: str) -> None:
    with pytest.raises(AssertionError):
        read(markup)


@pytest.mark.parametrize("name", STORIES)
def test_a_tree_has_no_attribute_but_the_one_of_its_lists_and_figures(name: str) -> None:
    html = re.sub("<img [^>]*>", "", html_tree(STORIES[name](None)))
    assert re.findall(r"<\w+ [^>]*>", html.replace("<details open>", "")) == [LIST] * html.count("<ul")


# How texts are laid out


def answer_html(answer: str) -> str:
    story = Story()
    story.root()
    html = html_tree(story.end(answer=answer))
    read(html)
    return html.split("<p><b>Answer</b></p>")[1].split("\n<p><small>")[0]


@pytest.mark.parametrize(
    ("answer", "html"),
    [
        ("1 and 3", "<p>1 and 3</p>"),
        ("", "<p></p>"),
        ("First.\n\nSo: a | b <c>", "<p>First.<br><br>So: a | b &lt;c&gt;</p>"),
        ("* one\n* two", "<p>* one<br>* two</p>"),
        ("Two:\n  one\n  two", "<pre>Two:\n  one\n  two</pre>"),
        ("a\n\tb", "<pre>a\n\tb</pre>"),
        ("| a | b |\n|---|---|", "<pre>| a | b |\n|---|---|</pre>"),
        ("Run\n```\nx<y\n```", "<pre>Run\n```\nx&lt;y\n```</pre>"),
    ],
)
def test_prose_is_a_paragraph_and_what_is_laid_out_stays_so(answer: str, html: str) -> None:
    assert answer_html(answer) == html


def test_an_error_of_the_run_is_laid_out_like_an_answer() -> None:
    story = Story()
    story.root()
    html = html_tree(story.end("failed", error=ErrorInfo(type="E", message="one\ntwo <b>")))
    assert "<p><b>Error</b></p><p>E: one<br>two &lt;b&gt;</p>" in html


# What is said once, and not twice


def test_a_reply_that_is_only_its_block_is_not_shown_again() -> None:
    html = html_tree(one_call())
    assert "Reply" not in html
    assert html.count("<pre><code>print(len(context))</code></pre>") == 1


def test_a_reply_with_words_beside_its_block_shows_them() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, f"I look <first>.\n\n{fenced('print(1)')}")
    story.code("0", 1, "print(1)", stdout="1\n")
    html = html_tree(story.end(answer="1"))
    assert "<div><b>Reply</b></div>" in html
    assert "I look &lt;first&gt;." in html
    read(html)


def test_an_error_that_is_the_one_of_the_run_is_not_repeated() -> None:
    html = html_tree(error())
    assert html.count("<b>Error</b>") == 1
    assert "<p><b>Error</b></p><p>ServerUnreachable: no connection</p>" in html


def test_an_error_of_the_root_that_is_another_than_that_of_the_run_is_shown() -> None:
    story = Story()
    story.root()
    story.finish("0", "failed", error=ErrorInfo(type="A", message="of the call"))
    html = html_tree(story.end("failed", error=ErrorInfo(type="B", message="of the run")))
    assert "<div><b>Error</b></div><pre>A: of the call</pre>" in html
    assert "<p><b>Error</b></p><p>B: of the run</p>" in html


def test_an_error_of_a_sub_call_is_always_shown() -> None:
    lost = ErrorInfo(type="E", message="lost")
    story = Story()
    story.root()
    story.reply("0", 1, fenced("llm_query('p')"))
    story.llm("0.1.1", "p")
    story.finish("0.1.1", "failed", error=lost)
    story.finish("0", "failed", error=lost)
    html = html_tree(story.end("failed", error=lost))
    assert "<div><b>Error</b></div><pre>E: lost</pre>" in html
    assert "<p><b>Error</b></p><p>E: lost</p>" in html


def test_a_turn_whose_model_failed_is_one_line() -> None:
    html = html_tree(error())
    assert "<li><b>Turn 2</b> · ✗ ServerUnreachable: no connection · retried 3×</li>" in html


# Turns and blocks


def block_html(**done: Any) -> str:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("pass"))
    story.code("0", 1, "pass", **done)
    html = html_tree(story.end(answer="x"))
    read(html)
    return html


def test_a_block_that_printed_nothing_has_no_output() -> None:
    assert "Output" not in block_html(shown="Block 1 printed nothing.")


@pytest.mark.parametrize(
    "done",
    [
        {"stdout": "3\n"},
        {"stderr": "3\n", "shown": "3\n"},
        {"error": ErrorInfo(type="E", message="no"), "shown": "3\n"},
        {"shown": "Block 1 printed nothing.\nNote: 3\n"},
    ],
    ids=["stdout", "stderr", "error", "a note"],
)
def test_a_block_with_something_to_say_has_its_output(done: dict[str, Any]) -> None:
    html = block_html(**done)
    assert "<div><b>Output, as the model saw it</b></div><pre>" in html
    assert "3\n</pre>" in html


def test_output_that_was_cut_for_the_model_is_told_apart() -> None:
    html = block_html(
        stdout="a" * 3000, stderr="b", shown="aa… 2,996 characters left out …aa", stdout_chars=9000
    )
    assert "<div>Raw stdout: 9,000 characters, not all shown to the model; the trace has more.</div>" in html
    assert "<div>Raw stderr: 1 character, not all shown to the model; the trace has more.</div>" in html
    assert "aaa" not in html.split("<summary>")[2].split("</summary>")[1]
    assert "Raw" not in block_html(stdout="3\n", shown="Block 1 printed (2 characters):\n3")


def test_variables_have_their_sizes() -> None:
    changes = VariableChanges(
        added=(Variable(name="parts", type="list", size="5"),),
        changed=(Variable(name="n", type="int"),),
        removed=("old",),
    )
    assert "<p>Variables: +parts: list (5), ~n: int, −old</p>" in block_html(variables=changes)


def test_a_call_that_waits_says_for_what() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, "s", "q")
    assert "<li>Turn 1 · waiting for the model</li>" in html_tree(story.trace)


@pytest.mark.parametrize("status", ["interrupted", "failed", "exhausted"])
def test_a_call_that_ended_before_a_reply_says_how(status: Any) -> None:
    story = Story()
    story.root()
    story.ask("0", 1, "s", "q")
    story.finish("0", status)
    html = html_tree(story.end(status))
    assert f"<li>Turn 1 · {status} before the model replied</li>" in html
    assert "waiting" not in html


def test_a_call_that_was_cut_off_before_a_reply_says_so() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, "s", "q")
    assert "<li>Turn 1 · cut off before the model replied</li>" in html_tree(story.stop())


def test_a_long_model_name_is_cut_in_its_row() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "x")
    story.record(CallStarted(call_id="0.1.1", kind="llm", depth=1, model="m" * 41, prompt="p"))
    assert f"</b> {'m' * 39}… · " in html_tree(story.stop())


# Where the trace is


def test_the_footer_says_where_the_trace_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = one_call(tmp_path / ".rlm" / "run.rlm.jsonl")
    monkeypatch.chdir(tmp_path)
    assert f"· trace: {Path('.rlm') / 'run.rlm.jsonl'}</small>" in html_tree(trace)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "· trace: run.rlm.jsonl</small>" in html_tree(trace)
    assert str(tmp_path) not in html_document(trace)


# What is cut


def sized(code: int, prompts: int, calls: int = 1) -> str:
    """A root with a block of so many characters and as many plain requests, each with a prompt of so many."""
    story = Story()
    story.root()
    story.reply("0", 1, fenced("c" * code))
    for number in range(calls):
        story.llm(f"0.1.{number + 1}", "p" * prompts)
    story.code("0", 1, "c" * code)
    html = html_tree(story.end(answer="x"))
    assert len(html.encode()) <= LIMIT
    read(html)
    return html


def test_texts_of_an_llm_call_are_cut_before_those_of_an_rlm_call() -> None:
    html = sized(7000, 7000, calls=30)
    assert "c" * 7000 in html
    assert "p" * 3000 not in html
    assert "30 long texts shortened here" in html


def test_texts_of_an_rlm_call_are_cut_when_that_is_not_enough() -> None:
    story = Story()
    story.root()
    for turn in range(1, 51):
        story.reply("0", turn, fenced("c" * 7000))
        story.code("0", turn, "c" * 7000)
    html = html_tree(story.end(answer="x"))
    assert len(html.encode()) <= LIMIT
    assert "c" * 1000 in html
    assert "c" * 7000 not in html
    assert html.count("<b>Turn ") == 50


@pytest.mark.parametrize(("length", "is_cut"), [(8000, False), (8100, False), (8101, True)])
def test_nothing_is_cut_to_save_a_few_characters(length: int, is_cut: bool) -> None:
    html = sized(10, length)
    assert ("p" * length not in html) == is_cut
    assert ("1 long text shortened here" in html) == is_cut
    assert ("101 characters left out" in html) == is_cut


def test_a_page_has_the_whole_of_a_long_answer() -> None:
    story = Story()
    story.root()
    page = html_document(story.end(answer="a" * 50_000))
    assert "a" * 50_000 in page
    assert "shortened" not in page
