"""The tree as plain text."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from trace_examples import (
    STORIES,
    SYSTEM,
    Story,
    answered,
    batch,
    cut_off,
    error,
    exhausted,
    fenced,
    nested,
    one_call,
    used,
    wide,
)
from trace_strategies import PLAN, RANDOM, Plan, told
from view_checks import hidden

from rlm_kernel.trace import MODE_LABELS, Call, CallStarted, ErrorInfo, Mode, Trace
from rlm_kernel.views import call_text, text_tree


def test_one_call() -> None:
    assert (
        text_tree(one_call())
        == """\
Question  Which papers disagree?
Run       ✓ finished · 1.00 s · 280 → 32 tokens · $0.0030 · isolation: worker
0 rlm big  papers: list of 3 str
├─ turn 1  print(len(context))
│  └─ → 3
└─ turn 2  answer["content"] = "1 and 3"
Answer    1 and 3"""
    )


def test_a_batch_shows_its_first_calls_and_those_that_failed() -> None:
    assert text_tree(batch()).splitlines()[3:12] == [
        '├─ turn 1  parts = llm_query_batched([f"Sum up {p}" for p in context])',
        "│  └─ 0.1.1…0.1.5 batch of 5 llm  4 finished, 1 failed  ✓✓✓✗✓",
        "│     ├─ 0.1.1 llm small  ✓ finished · 0.80 s · 100 → 10 tokens  “Sum up p1”",
        "│     │     → the sum of 0.1.1",
        "│     ├─ 0.1.2 llm small  ✓ finished · 1.30 s · 100 → 10 tokens  “Sum up p2”",
        "│     │     → the sum of 0.1.2",
        "│     ├─ 0.1.4 llm small  ✗ failed · 0.90 s · retried 3×  “Sum up p4”",
        "│     │     ✗ ServerFailed: 500 after 3 retries",
        "│     └─ … 2 more",
    ]


def test_a_failed_run_says_where_and_why() -> None:
    assert (
        text_tree(error())
        == """\
Question  Which papers disagree?
Run       ✗ failed · 0.90 s · 100 → 10 tokens · retried 3× · isolation: worker
0 rlm big  papers: list of 3 str
├─ turn 1  print(contxt)
│  └─ ✗ NameError: name 'contxt' is not defined
└─ turn 2  ✗ ServerUnreachable: no connection
Error     ServerUnreachable: no connection"""
    )


def test_a_cut_off_run_keeps_its_figures() -> None:
    assert text_tree(cut_off()).splitlines()[1:3] == [
        "Run       ✂ cut off · 0.80 s · 2 sub-calls · 200 → 20 tokens · 1 failed inside · isolation: worker",
        "0 rlm big  papers: list of 3 str",
    ]


def test_a_run_that_runs_ticks() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "q")
    assert (
        text_tree(story.trace, now=61.5)
        == """\
Question  Which papers disagree?
Run       ○ running · 1 min 1 s · isolation: worker
0 rlm big  papers: list of 3 str
└─ turn 1  ○ waiting for the model"""
    )


def test_a_running_run_keeps_its_figures() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "thinking")
    assert text_tree(story.trace, now=2.0).splitlines()[1] == (
        "Run       ○ running · 2.0 s · 100 → 10 tokens · isolation: worker"
    )


def test_a_turn_whose_code_runs_shows_the_code_and_not_its_fence() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("print(llm_query('Which?'))"))
    story.llm("0.1.1", "Which?")
    assert "turn 1  print(llm_query('Which?'))" in text_tree(story.trace, now=1.0)


def test_nothing_yet() -> None:
    assert text_tree(Trace(live=True)) == "Run       ○ starting"


def test_a_run_without_a_context_has_a_plain_root() -> None:
    story = Story(context=None)
    story.root()
    assert text_tree(story.end()).splitlines()[2] == "0 rlm big"


def test_a_sub_call_that_runs_ticks_and_never_backwards() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("llm_query('Which?')"))
    story.llm("0.1.1", "Which?")
    began = story.trace.tree.calls["0.1.1"].start
    assert "0.1.1 llm small  ○ running · 3.2 s  “Which?”" in text_tree(story.trace, now=began + 3.2)
    assert "0.1.1 llm small  ○ running · 0.0 s  “Which?”" in text_tree(story.trace, now=0.0)
    assert (
        text_tree(story.trace, now=-1.0)
        .splitlines()[1]
        .startswith("Run       ○ running · 0.0 s · 1 sub-call")
    )


def test_a_long_model_name_is_cut_in_its_row() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "x")
    for call_id, length in (("0.1.1", 40), ("0.1.2", 41)):
        story.record(CallStarted(call_id=call_id, kind="llm", depth=1, model="m" * length, prompt="p"))
    tree = text_tree(story.stop())
    assert f"0.1.1 llm {'m' * 40}  " in tree
    assert f"0.1.2 llm {'m' * 39}…  " in tree


@pytest.mark.parametrize(
    ("calls", "batched", "max_lines"),
    [
        (5000, True, 200),
        (5000, False, 200),
        (5000, False, 61),
        (30, False, 60),
        (30, False, 1),
        (5, True, 200),
    ],
)
def test_no_more_lines_than_asked_for(calls: int, batched: bool, max_lines: int) -> None:
    whole = text_tree(wide(calls, batched=batched), max_lines=10**6).splitlines()
    lines = text_tree(wide(calls, batched=batched), max_lines=max_lines).splitlines()
    frame = 3  # question, run, answer
    if len(whole) - frame <= max_lines:
        assert lines == whole
        return
    assert len(lines) <= frame + max_lines + 1
    [notice] = [line for line in lines if "lines left out" in line]
    left_out = int(notice.split()[1].replace(",", ""))
    assert left_out == len(whole) - (len(lines) - 1)


@pytest.mark.parametrize("mode", sorted(MODE_LABELS))
def test_an_answer_says_when_no_live_model_gave_it(mode: Mode) -> None:
    trace = answered(mode)
    label = MODE_LABELS[mode]
    run, answer = text_tree(trace).splitlines()[1], text_tree(trace).split("Answer")[1]
    assert run.endswith(f"[{label}]") == bool(label)
    assert answer == (f"    1 and 3\n          [{label}]" if label else "    1 and 3")


@pytest.mark.parametrize("mode", sorted(MODE_LABELS))
def test_a_call_says_when_no_live_model_answered_it(mode: Mode) -> None:
    root = answered(mode).root
    assert root is not None
    assert "1 and 3" in call_text(root)
    assert MODE_LABELS[mode] in call_text(root)


def test_an_unknown_price_is_not_shown_as_nothing() -> None:
    assert "$" not in text_tree(nested())
    assert "$0.0030" in text_tree(one_call())


def test_a_small_price_is_not_shown_as_nothing() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "x", usage=used(cost=0.00001))
    assert "$0.0000 " not in f"{text_tree(story.end())} ".replace("\n", " ")


def test_a_call_in_full() -> None:
    root = one_call().root
    assert root is not None
    assert (
        call_text(root)
        == """\
0 rlm big  ✓ finished · 0.70 s · 280 → 32 tokens · $0.0030
── system, turn 1
You have a Python REPL with the variable context.
── user, turn 1
Which papers disagree?
── reply
```repl
print(len(context))
```
── user, turn 2
Block 1 printed:
3

── reply
```repl
answer["content"] = "1 and 3"
answer["ready"] = True
```
── output of the last turn

── answer, from answer
1 and 3"""
    )


def test_a_call_in_full_has_every_reply() -> None:
    root = one_call().root
    assert root is not None
    assert all(turn.reply and turn.reply.text in call_text(root) for turn in root.turns)


def test_a_plain_request_in_full() -> None:
    assert (
        call_text(nested().tree.calls["0.1.1.1.1"])
        == """\
0.1.1.1.1 llm small  ✓ finished · 0.20 s · 100 → 10 tokens · retried 2×
── prompt
Is it true?
── reply
It is not."""
    )


def test_a_failed_request_in_full() -> None:
    assert (
        call_text(batch().tree.calls["0.1.4"])
        == """\
0.1.4 llm small  ✗ failed · 0.90 s · retried 3×
── prompt
Sum up p4
── reply
ServerFailed: 500 after 3 retries
── error
ServerFailed: 500 after 3 retries"""
    )


def test_the_last_turn_of_an_exhausted_call_has_both_questions() -> None:
    root = exhausted().root
    assert root is not None
    assert "Block 1 printed" in call_text(root)
    assert "Answer now." in call_text(root)


@pytest.mark.parametrize("name", STORIES)
def test_nothing_hides_in_a_text(name: str) -> None:
    trace = STORIES[name](None)
    assert hidden(text_tree(trace)) == []
    assert [hidden(call_text(call)) for call in trace.walk() if hidden(call_text(call))] == []


SLY = "a\x1b[2Jb\u202ec\u200bd\x00e\rf\u2028g\ud83d"


def test_a_model_name_hides_nothing_and_stays_in_its_row() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "x", model=f"{SLY}\n0 rlm big  ✓ finished")
    lines = text_tree(story.end()).splitlines()
    assert hidden("\n".join(lines)) == []
    assert [line[:2] for line in lines] == ["Qu", "Ru", "0 ", "└─"]


def test_a_warning_hides_nothing() -> None:
    trace = one_call()
    trace.warning = f"cannot write {SLY}"
    trace.path = Path(SLY.replace("\x00", ""))
    assert hidden(text_tree(trace)) == []


def test_every_text_a_model_writes_is_made_visible() -> None:
    sly = ErrorInfo(type=SLY, message=SLY, traceback=SLY)
    story = Story(SLY)
    story.root()
    story.ask("0", 1, SLY, SLY)
    story.reply("0", 1, fenced(SLY), reasoning=SLY)
    story.llm("0.1.1", SLY)
    story.reply("0.1.1", 1, SLY, error=sly)
    story.finish("0.1.1", "failed", error=sly)
    story.code("0", 1, SLY, stdout=SLY, stderr=SLY, error=sly)
    story.finish("0", answer=SLY, how=SLY, error=sly)
    trace = story.end(answer=SLY, error=sly)
    assert hidden(text_tree(trace)) == []
    assert [hidden(call_text(call)) for call in trace.walk()] == [[], []]


@settings(deadline=None, max_examples=50)
@given(plan=PLAN, random=RANDOM)
def test_every_call_outside_a_batch_is_in_the_text(plan: Plan, random: object) -> None:
    trace = Trace(told(plan, random))  # type: ignore[arg-type]
    assert hidden(text_tree(trace)) == []
    for call in trace.walk():
        assert hidden(call_text(call)) == []
        assert call.batch or f"{call.id} {call.kind} m" in text_tree(trace) or any(_above(call))


def _above(call: Call) -> Iterator[bool]:
    while call.parent:
        call = call.parent
        yield call.batch is not None


def test_a_capped_child_says_so() -> None:
    story = Story()
    story.root()
    story.reply("0", 1, fenced("rlm_query('Check')"))
    story.record(
        dataclasses.replace(
            CallStarted(call_id="0.1.1", kind="llm", depth=1, model="small", prompt="Check"),
            depth_capped=True,
        )
    )
    assert "rlm_query at the depth limit: a plain request" in text_tree(story.stop())
