"""What a run that was made from another says of it, in every static view."""

from collections.abc import Callable
from typing import Any

import pytest
from trace_examples import SYSTEM, Story, answered, fenced, fork, one_call, used
from view_checks import hidden, read

from rlm_kernel.trace import Call, Divergence, ErrorInfo, Origin, Trace, Usage
from rlm_kernel.views import call_text, html_tree, text_tree
from rlm_kernel.views.derived import differing, divergence_line, origin_line
from rlm_kernel.views.sources import label, replies_of

SCRIPTED = "scripted replies, not a model's"
SLY = "a\x1b[2Jb\u202ec\u200bd\x00e\rf\u2028g\ud83d<script>alert(1)</script>"


def call(trace: Trace, call_id: str) -> Call:
    return trace.tree.calls[call_id]


def test_a_fork_as_text() -> None:
    assert (
        text_tree(fork())
        == """\
Question  Which papers disagree?
Run       ⚠ exhausted · 2.50 s · 4 sub-calls · 250 → 9 tokens · $0.0030 · isolation: worker  \
[a person's replies; replayed from a trace: demo rules, not a language model]
Origin    Fork of papers-0 at 0.2: reply “print(llm_query("Is 3 true?"))”, limits max_turns 3 · \
4 replayed, 1 by a person, 2 new · 1 step differs from the record
0 rlm big  papers: list of 3 str
├─ turn 1  ↻ parts = llm_query_batched([f"Sum up {p}" for p in context])
│  ├─ 0.1.1…0.1.3 batch of 3 llm  3 finished, ↻ 3 replayed  ✓✓✓
│  │  ├─ 0.1.1 llm small  ✓ finished · ↻ replayed · 0.20 s  “Sum up p1”
│  │  │     → the sum of p1
│  │  ├─ 0.1.2 llm small  ✓ finished · ↻ replayed · 0.20 s  “Sum up p2”
│  │  │     → the sum of p2
│  │  └─ … 1 more
│  ├─ → 12:05
│  └─ ≠ output: recorded “12:00”, found “12:05”
├─ turn 2  print(llm_query("Is 2 true?"))  [a person wrote this reply]
│  ├─ 0.2.1 llm small  ✓ finished · 0.20 s · 50 → 5 tokens · $0.0010  “Is 2 true?”
│  │     → It is not.
│  ├─ → It is not.
│  └─ block 1: a person edited the code
└─ turn 3  1 and 2.  [last turn: The 3 turns of this call are used.]
Answer    1 and 2.
          [plain text of the last turn; a person's replies; replayed from a trace: demo rules, not a language model]"""
    )


def test_a_fork_as_html() -> None:
    html = html_tree(fork())
    read(html)
    for told in (
        "<p><b>Origin</b> Fork of papers-0 at 0.2: reply “print(llm_query(&quot;Is 3 true?&quot;))”, limits max_turns 3 · ",
        " · 4 replayed, 1 by a person, 2 new · 1 step differs from the record</p>",
        "<b>Turn 1</b> · ↻ replayed · ≠ differs from the record · <code>",
        "<b>0.1.1 llm</b> small · ✓ finished · ↻ replayed · 0.20 s — Sum up p1",
        "<div><b>≠ output, as recorded</b></div><pre>12:00\n</pre>",
        "<div><b>≠ output, as found</b></div><pre>12:05\n</pre>",
        "<b>Turn 2</b> · a person wrote this reply · a person edited the code · <code>",
        "<div><b>Block 1 · 0.10 s · a person edited the code</b></div>",
        "<div>Last turn: The 3 turns of this call are used.</div>",
    ):
        assert told in html


def test_what_a_reply_of_a_record_used_is_told_in_its_call_only() -> None:
    trace = fork()
    assert trace.usage == Usage(requests=2, input_tokens=250, output_tokens=9, cost=0.003)
    assert (
        call_text(call(trace, "0.1.2"))
        == """\
0.1.2 llm small  ✓ finished · ↻ replayed · 0.20 s  [replayed from a trace: demo rules, not a language model]
↻ answered from the record: then 100 → 10 tokens · $0.0020
── prompt
Sum up p2
── reply
the sum of p2"""
    )
    assert "120" not in text_tree(trace)
    assert "120 →" not in html_tree(trace)
    assert "↻ 1 of 3 requests answered from the record: then 120 → 12 tokens · $0.0010" in call_text(
        call(trace, "0")
    )


def test_a_call_in_full_has_what_differs_and_what_a_person_did() -> None:
    text = call_text(call(fork(), "0"))
    assert "── block 1, output as recorded\n12:00\n\n── block 1, output as found\n12:05\n" in text
    assert '── block 1: a person edited the code\nprint(llm_query("Is 2 true?"))\n' in text
    assert "── user, turn 3 (last turn: The 3 turns of this call are used.)\n" in text


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        (Origin(kind="replay", run="p1"), "Replay of p1"),
        (Origin(kind="fork", run="p1", at="0.3", edit={"hint": "look\nagain"}), "Fork of p1 at 0.3: hint “look”"),
        (Origin(kind="rerun", run="p1", at="0.3.2", edit={"model": "m", "n": 3}), "Rerun of 0.3.2 of p1: model “m”, n 3"),
        (Origin(kind="resume", run="p1"), "Resumed from p1"),
        (Origin(kind="resume", run="p1", edit={"limits": {"max_turns": 9, "budget": 0.5}}),
         "Resumed from p1: limits max_turns 9 budget 0.5"),
        (Origin(kind="fork", run=SLY, at=SLY, edit={SLY: SLY, "limits": {SLY: [SLY]}}), None),
        (Origin(kind="fork", run="p1", edit=dict.fromkeys(map(str, range(11)), 1)), None),
    ],
    ids=range(7),
)  # fmt: skip
def test_where_a_run_comes_from(origin: Origin, told: str | None) -> None:
    assert hidden(origin_line(origin)) == []
    assert told is None or origin_line(origin) == told


def test_of_many_edits_some_are_named() -> None:
    assert origin_line(Origin(kind="fork", run="p", edit=dict.fromkeys("abcdefghij", 1))).endswith(
        "h 1, 2 more"
    )


# How many replies


def derived(kind: Any, *modes: str, mode: Any = "live", first_mode: Any = None) -> Trace:
    """A run of that kind whose turns have replies of these modes; with an empty kind it is made from none."""
    story = Story(mode=mode, origin=Origin(kind=kind, run="papers-0") if kind else None)
    story.root()
    for turn, each in enumerate(modes, 1):
        usage = Usage() if each == "replayed" else used()
        story.reply(
            "0", turn, "x", mode=each, first_mode=first_mode if each == "replayed" else None, usage=usage
        )
    return story.end(answer="x")


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        (derived("fork", "replayed", "replayed", "live"), "2 replayed, 1 new"),
        (derived("fork", "replayed", "human", "live"), "1 replayed, 1 by a person, 1 new"),
        (derived("fork", "replayed", "human", mode="human"), "1 replayed, 1 new"),
        (derived("replay", "replayed"), "1 replayed, 0 new"),
        (derived("resume", "live"), "0 replayed, 1 new"),
        (derived("", "replayed", "live"), "1 replayed, 1 new"),
        (derived("rerun", "live"), None),
        (derived("", "live"), None),
    ],
    ids=range(8),
)
def test_how_many_replies_come_from_the_record(trace: Trace, told: str | None) -> None:
    found = replies_of(trace)
    assert (str(found) if found else None) == told
    lines = [line for line in text_tree(trace).splitlines() if line.startswith(("Origin", "Replies"))]
    assert len(lines) == (1 if told or (trace.started and trace.started.origin) else 0)
    assert told is None or told in lines[0]


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        (derived("replay", "replayed", mode="replayed", first_mode="scripted"), f"replayed from a trace: {SCRIPTED}"),
        (derived("replay", "replayed", mode="replayed", first_mode="live"), "replayed from a trace"),
        (derived("fork", "replayed", "live", first_mode="scripted"), f"replayed from a trace: {SCRIPTED}"),
        (derived("fork", "replayed", mode="scripted", first_mode="scripted"),
         f"{SCRIPTED}; replayed from a trace: {SCRIPTED}"),
        (derived("fork", "replayed", "human", first_mode="demo"),
         "a person's replies; replayed from a trace: demo rules, not a language model"),
    ],
    ids=range(5),
)  # fmt: skip
def test_a_reply_that_was_no_models_is_none_when_it_is_replayed(trace: Trace, told: str) -> None:
    assert label(trace) == told
    assert f"[{told}]" in text_tree(trace)
    [note] = html_tree(trace).split("<i>")[1:]
    assert note.startswith("(" + told.replace("'", "&#x27;") + ")")


def missing() -> Trace:
    """A replay whose record has no reply for the one sub-call."""
    lost = ErrorInfo(type="MissingReply", message="the record has no reply to this request")
    story = Story(mode="replayed", origin=Origin(kind="replay", run="papers-0"))
    story.root()
    story.again("0", 1, fenced("print(llm_query('Which?'))"))
    story.llm("0.1.1", "Which?")
    story.reply("0.1.1", 1, "", mode="replayed", usage=Usage(), error=lost)
    story.finish("0.1.1", "failed", error=lost)
    moved = (
        Divergence(what="output", recorded="3", found=""),
        Divergence(what="error", recorded="", found="E"),
    )
    story.code("0", 1, "print(llm_query('Which?'))", error=lost, divergences=moved)
    return story.end("failed", error=lost)


def test_a_reply_that_is_missing_differs_and_is_not_replayed() -> None:
    trace = missing()
    assert str(replies_of(trace)) == "1 replayed, 0 new"
    assert differing(trace) == 2
    text = text_tree(trace)
    assert "2 steps differ from the record" in text
    assert "0.1.1 llm small  ✗ failed · 0.20 s  “Which?”" in text
    assert "✗ MissingReply: the record has no reply to this request" in text
    assert "≠ output: recorded “3”, found nothing" in text
    assert "≠ error: recorded nothing, found “E”" in text
    assert "<b>0.1.1 llm</b> small · ✗ failed · 0.20 s" in html_tree(trace)


@pytest.mark.parametrize(
    ("recorded", "found", "told"),
    [
        ("3", "4", "≠ output: recorded “3”, found “4”"),
        ("one\ntwo\n12:00", "one\ntwo\n12:05", "≠ output: recorded “12:00”, found “12:05”"),
        ("one", "one\nmore", "≠ output: recorded nothing, found “more”"),
        ("one\n", "", "≠ output: recorded “one”, found nothing"),
    ],
)
def test_what_differs_is_told_by_the_first_lines_that_do(recorded: str, found: str, told: str) -> None:
    assert divergence_line(Divergence(what="output", recorded=recorded, found=found)) == told


def test_many_ways_in_which_a_block_differs_are_counted() -> None:
    story = Story()
    story.root()
    story.again("0", 1, "x")
    story.code(
        "0", 1, "x", divergences=tuple(Divergence(what=str(n), recorded="", found="") for n in range(9))
    )
    text = text_tree(story.end(answer="x"))
    assert text.count("≠") == 6
    assert "… 3 more" in text


# A block before a person


def held(live: bool) -> Trace:
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "Which?")
    story.reply("0", 1, fenced("print(1)"))
    story.hold("0", 1, "print(1)")
    return story.trace if live else story.stop()


def test_a_block_before_a_person_waits_for_them() -> None:
    trace = held(live=True)
    text = text_tree(trace, now=2.0)
    assert "Run       ○ running · ❚❚ 1 block waiting for you · 2.0 s" in text
    assert "❚❚ block 1 is waiting for you: print(1)" in text
    assert "── block 1 is waiting for you\nprint(1)" in call_text(call(trace, "0"))
    html = html_tree(trace)
    read(html)
    assert "<p><b>Origin</b>" not in html
    assert "<p>❚❚ 1 block waiting for you</p>" in html
    assert "<b>Turn 1</b> · ❚❚ waiting for you · <code>" in html
    assert "<div><b>Block 1 is waiting for you</b></div><pre><code>print(1)</code></pre>" in html


@pytest.mark.parametrize("view", [text_tree, html_tree, lambda trace: call_text(call(trace, "0"))])
def test_a_block_of_a_run_that_was_cut_off_waits_for_nobody(view: Callable[[Trace], str]) -> None:
    assert "waiting for you" not in view(held(live=False))


def test_a_block_that_a_person_skipped_says_so() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("print(1)"))
    story.hold("0", 1, "print(1)")
    story.code("0", 1, "print(1)", decision="skipped")
    trace = story.end(answer="x")
    assert "block 1: a person skipped it" in text_tree(trace)
    assert "· a person skipped it · <code>" in html_tree(trace)
    assert "── block 1: a person skipped it\nprint(1)" in call_text(call(trace, "0"))


# Nothing of it where there is nothing to tell


@pytest.mark.parametrize("sign", ["↻", "≠", "❚❚", "Origin", "a person", "Last turn", "then "])
def test_a_run_that_was_made_from_none_says_nothing_of_it(sign: str) -> None:
    trace = one_call()
    assert sign not in text_tree(trace) + html_tree(trace) + call_text(call(trace, "0"))
    assert sign not in text_tree(answered("live"))


def test_nothing_hides_and_nothing_becomes_markup() -> None:
    moved = Divergence(what=SLY, recorded=SLY, found=SLY)
    story = Story(SLY, origin=Origin(kind="fork", run=SLY, at=SLY, edit={SLY: SLY, "hint": SLY}))
    story.root()
    story.ask("0", 1, SLY, SLY, last=SLY)
    story.reply("0", 1, SLY, mode="human")
    story.code("0", 1, SLY, decision="edited", divergences=(moved,))
    story.ask("0", 2, SLY)
    story.reply("0", 2, SLY)
    story.hold("0", 2, SLY)
    trace = story.trace
    assert hidden(text_tree(trace)) == []
    assert hidden(call_text(call(trace, "0"))) == []
    seen = read(html_tree(trace))
    assert hidden(seen.text) == []
    assert seen.text.count("alert(1)") >= 8
