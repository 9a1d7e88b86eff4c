"""The tree of a run: what flat events come to."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_examples import SYSTEM, Story, batch, cut_off, exhausted, nested, one_call, outline, used, wide
from trace_strategies import PLAN, RANDOM, Plan, told

from rlm_kernel.trace import Batch, Message, Site, Status, Trace, Usage


def test_a_tree() -> None:
    trace = nested()
    assert [(call.id, call.kind, call.depth, call.status) for call in trace.walk()] == [
        ("0", "rlm", 0, "finished"),
        ("0.1.1", "rlm", 1, "finished"),
        ("0.1.1.1.1", "llm", 2, "finished"),
    ]
    root = trace.root
    assert root is not None
    [child] = root.calls
    [leaf] = child.calls
    assert (root.parent, child.parent, leaf.parent) == (None, root, child)
    assert root.turns[0].blocks[0].calls == [child]
    assert repr(child) == "<Call 0.1.1 rlm finished, 1 sub-calls>"


def test_what_a_call_can_say() -> None:
    call = nested().tree.calls["0.1.1.1.1"]
    assert (call.prompt, call.answer, call.how, call.model, call.retries) == (
        "Is it true?",
        "It is not.",
        "reply",
        "small",
        2,
    )
    assert call.site == Site(block=1, line=1, code='FINAL(llm_query("Is it true?"))')
    assert (call.start, call.end, round(call.seconds or 0, 6)) == (0.8, 1.0, 0.2)
    assert call.context is None
    assert call.error is None


@settings(deadline=None)
@given(plan=PLAN, one=RANDOM, other=RANDOM)
def test_the_tree_does_not_depend_on_who_was_faster(plan: Plan, one: Random, other: Random) -> None:
    assert outline(Trace(told(plan, one))) == outline(Trace(told(plan, other)))


@settings(deadline=None)
@given(plan=PLAN, random=RANDOM)
def test_a_tree_grown_event_by_event_is_the_tree_of_all_events(plan: Plan, random: Random) -> None:
    events = told(plan, random)
    growing = Trace(live=True)
    for event in events:
        growing.append(event)
        _ = growing.tree
    assert outline(growing) == outline(Trace(events))
    assert [call.id for call in growing.walk()] == sorted(growing.tree.calls, key=_path)


def _path(call_id: str) -> list[int]:
    return [int(part) for part in call_id.split(".")]


@settings(deadline=None)
@given(plan=PLAN, random=RANDOM, share=st.floats(0, 1))
def test_any_beginning_of_a_trace_is_a_tree(plan: Plan, random: Random, share: float) -> None:
    events = told(plan, random)
    head = events[: int(len(events) * share)]
    ended = {event.call_id for event in head if type(event).__name__ == "CallFinished"}  # type: ignore[attr-defined]
    for live, open_status in ((True, "running"), (False, "cut off")):
        trace = Trace(head, live=live)
        assert {call.status for call in trace.walk() if call.id not in ended} <= {open_status}
        assert trace.status == ("finished" if len(head) == len(events) else open_status)


def test_a_call_without_an_end_is_running_while_the_run_lives_and_cut_off_after() -> None:
    story = Story()
    story.root()
    story.llm("0.1.1", "p")
    assert [call.status for call in story.trace.walk()] == ["running", "running"]
    assert story.trace.status == "running"
    story.finish("0.1.1", "interrupted")
    trace = story.stop()
    assert [call.status for call in trace.walk()] == ["cut off", "interrupted"]
    assert trace.status == "cut off"
    assert repr(trace) == "<Trace 4 events, cut off>"
    assert trace.root is not None
    assert trace.root.seconds is None


@pytest.mark.parametrize("status", ["finished", "failed", "exhausted", "interrupted"])
def test_the_status_of_a_run_is_what_its_end_says(status: Status) -> None:
    story = Story()
    story.root()
    assert story.end(status).status == status


def test_a_batch() -> None:
    trace = batch()
    calls = trace.root.calls if trace.root else []
    assert [call.id for call in calls] == ["0.1.1", "0.1.2", "0.1.3", "0.1.4", "0.1.5"]
    assert [call.batch for call in calls] == [Batch(id="0.1.1", index=index, size=5) for index in range(5)]
    assert [call.status for call in calls] == ["finished", "finished", "finished", "failed", "finished"]
    assert str(calls[3].error) == "ServerFailed: 500 after 3 retries"
    assert calls[3].answer is None


def test_sub_calls_belong_to_the_block_that_issued_them() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, SYSTEM, "q")
    story.reply("0", 1, "two blocks")
    story.llm("0.1.1", "a", site=Site(block=1, line=1))
    story.code("0", 1, "llm_query('a')", block=1)
    story.llm("0.1.2", "b", site=Site(block=2, line=1))
    story.llm("0.1.3", "c", site=Site(block=2, line=2))
    story.code("0", 1, "llm_query('b'); llm_query('c')", block=2)
    [turn] = story.trace.root.turns if story.trace.root else []
    assert [(block.number, [call.id for call in block.calls]) for block in turn.blocks] == [
        (1, ["0.1.1"]),
        (2, ["0.1.2", "0.1.3"]),
    ]


def test_usage_sums_over_the_tree() -> None:
    trace = nested()
    calls = trace.tree.calls
    assert calls["0"].usage == Usage(requests=2, input_tokens=270, output_tokens=20, cost=0.003)
    assert calls["0.1.1"].total_usage == Usage(requests=2, input_tokens=190, output_tokens=19, cost=None)
    assert trace.usage == Usage(requests=4, input_tokens=460, output_tokens=39, cost=None)
    assert trace.usage.tokens == 499


def test_a_sum_with_an_unknown_price_is_unknown() -> None:
    assert (used(cost=0.5) + used(cost=0.25)).cost == 0.75
    assert (used(cost=0.5) + used(cost=None)).cost is None
    assert (used(cost=0.0) + used(cost=0.0)).cost == 0.0
    assert Usage.sum([]).cost is None


def test_a_request_that_was_not_answered_does_not_make_a_price_unknown() -> None:
    assert Usage.sum([used(cost=0.5), Usage()]) == Usage(
        requests=1, input_tokens=100, output_tokens=10, cost=0.5
    )


def test_one_estimated_count_makes_the_sum_estimated() -> None:
    estimated = Usage(requests=1, input_tokens=1, output_tokens=1, estimated=True)
    assert (used() + estimated).estimated
    assert not (used() + used()).estimated


def test_the_prompt_of_a_turn_is_rebuilt_with_the_replies_between() -> None:
    root = one_call().root
    assert root is not None
    code = "```repl\nprint(len(context))\n```"
    assert root.messages(1) == [
        Message(role="system", content=SYSTEM),
        Message(role="user", content="Which papers disagree?"),
    ]
    assert root.messages(2) == [
        *root.messages(1),
        Message(role="assistant", content=code),
        Message(role="user", content="Block 1 printed:\n3\n"),
    ]
    assert root.messages() == root.messages(2)


def test_a_turn_asked_again_as_the_last_one_has_both_questions() -> None:
    root = exhausted().root
    assert root is not None
    assert [message.content for message in root.messages(2)][-2:] == [
        "Block 1 printed:\n3\n",
        "The 1 request of the run is used. Answer now.",
    ]


def test_the_prompt_of_a_plain_request_is_its_one_message() -> None:
    call = nested().tree.calls["0.1.1.1.1"]
    assert call.messages() == [Message(role="user", content="Is it true?")]


def test_what_a_cut_off_run_still_says() -> None:
    trace = cut_off()
    assert [(call.id, call.status, call.answer) for call in trace.walk()] == [
        ("0", "cut off", None),
        ("0.1.1", "finished", "the sum of p1"),
        ("0.1.2", "cut off", None),
    ]
    assert trace.usage.requests == 2


def test_an_event_of_an_unknown_call_is_dropped() -> None:
    story = Story()
    story.root()
    story.finish("0.4.4")
    assert [call.id for call in story.trace.walk()] == ["0"]


def test_nothing_yet() -> None:
    trace = Trace(live=True)
    assert (trace.root, trace.started, trace.usage, list(trace.walk()), len(trace)) == (
        None,
        None,
        Usage(),
        [],
        0,
    )
    assert trace.status == "running"


def test_a_wide_tree_keeps_its_order() -> None:
    trace = wide(1200, batched=True)
    assert [call.id for call in trace.walk()] == ["0", *(f"0.1.{number}" for number in range(1, 1201))]
