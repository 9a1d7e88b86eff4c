"""What a front end is sent of a run: every event once, in order, in messages of a size."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_examples import Story, nested, one_call, wide

from rlm_kernel.trace import CodeExecuted, RichOutput, Trace, to_dict
from rlm_kernel.views.feed import MAX_BYTES, MAX_EVENTS, OUTPUT_CHARS, TEXT_CHARS, Feed, encoded


def drain(feed: Feed) -> list[dict[str, Any]]:
    """All messages there are now."""
    messages: list[dict[str, Any]] = []
    while message := feed.take():
        messages.append(message)
    return messages


def test_an_ended_run_is_one_message_that_says_so() -> None:
    trace = nested()
    (message,) = drain(Feed(trace, 0))
    assert message == {
        "op": "events",
        "run": "papers-1",
        "since": 0,
        "events": [to_dict(event) for event in trace.events],
        "live": False,
        "now": trace.events[-1].t,
        "warning": "",
        "path": "",
    }


def test_a_live_run_is_told_as_it_grows() -> None:
    story = Story()
    feed = Feed(story.trace, 0)
    (first,) = drain(feed)
    assert (first["since"], len(first["events"]), first["live"]) == (0, 1, True)
    assert drain(feed) == []
    story.root()
    story.end(answer="yes")
    (last,) = drain(feed)
    assert (last["since"], last["live"], feed.over) == (1, False, True)
    assert drain(feed) == []


def test_the_first_message_comes_before_the_first_event() -> None:
    feed = Feed(Trace(live=True, run_id="papers-1"), 0)
    (first,) = drain(feed)
    assert (first["run"], first["events"], first["live"], first["now"]) == ("papers-1", [], True, 0.0)


def test_a_front_end_that_has_all_is_told_only_that_it_is_over() -> None:
    trace = one_call()
    for since in (len(trace), len(trace) + 5):
        (last,) = drain(Feed(trace, since))
        assert (last["since"], last["events"], last["live"]) == (since, [], False)


def test_a_warning_is_told_without_an_event() -> None:
    story = Story()
    feed = Feed(story.trace, 0)
    drain(feed)
    story.trace.warning = "the disk is full"
    (message,) = drain(feed)
    assert (message["events"], message["warning"]) == ([], "the disk is full")


@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30_000)), max_size=12),
    since=st.integers(0, 30),
)
def test_whatever_the_batches_every_event_arrives_once_and_in_order(
    steps: list[tuple[int, int]], since: int
) -> None:
    story = Story()
    story.root()
    feed, messages = Feed(story.trace, since), []
    for number, (events, length) in enumerate(steps):
        for each in range(events):
            story.ask("0", number * 10 + each + 1, "x" * length)
        messages += drain(feed)
    trace = story.end(answer="yes")
    messages += drain(feed)
    arrived = [event["seq"] for message in messages for event in message["events"]]
    assert arrived == list(range(since, len(trace)))
    for message, after in pairwise(messages):
        assert after["since"] == message["since"] + len(message["events"])
    assert [message["live"] for message in messages] == [True] * (len(messages) - 1) + [False]


def test_a_message_holds_so_many_events() -> None:
    messages = drain(Feed(wide(3000, batched=True), 0))
    assert {len(message["events"]) for message in messages[:-1]} == {MAX_EVENTS}
    assert [message["live"] for message in messages] == [True] * (len(messages) - 1) + [False]


@pytest.mark.parametrize("letter", ["x", '"', "\x00", "語"], ids=ascii)
def test_a_message_stays_under_its_size(letter: str) -> None:
    story = Story()
    story.root()
    for turn in range(1, 800):
        story.ask("0", turn, letter * TEXT_CHARS)
    messages = drain(Feed(story.end(answer="yes"), 0))
    assert len(messages) > 1
    assert (
        max(len(json.dumps(message["events"], separators=(",", ":"))) for message in messages)
        <= MAX_BYTES + 2
    )


def test_an_event_above_the_size_comes_alone() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, *["x" * TEXT_CHARS] * 300)
    messages = drain(Feed(story.end(answer="yes"), 0))
    assert [len(message["events"]) for message in messages] == [2, 1, 1]


def test_a_long_text_is_cut_and_counted() -> None:
    story = Story()
    story.root()
    story.ask("0", 1, "x" * TEXT_CHARS, "y" * (TEXT_CHARS + 100), "z" * 9000)
    (message,) = drain(Feed(story.end(answer="yes"), 0))
    event = message["events"][2]
    assert event["messages"][0]["content"] == "x" * TEXT_CHARS
    assert ["left out" in each["content"] for each in event["messages"]] == [False, True, True]
    assert event["cut"] == 2
    assert all("cut" not in other for other in message["events"] if other is not event)


@pytest.mark.parametrize(("chars", "there"), [(OUTPUT_CHARS, True), (OUTPUT_CHARS + 1, False)])
def test_a_figure_is_whole_or_left_out(chars: int, there: bool) -> None:
    story = Story()
    story.root()
    figure = RichOutput(data={"image/png": "A" * chars})
    story.record(CodeExecuted(call_id="0", turn=1, block=1, code="plot()", outputs=(figure,)))
    (message,) = drain(Feed(story.end(answer="yes"), 0))
    event = message["events"][2]
    assert ("outputs" in event, event.get("cut", 0)) == (there, 0 if there else 1)
    if there:
        assert event["outputs"] == [{"data": {"image/png": "A" * chars}}]


def test_half_a_character_is_spelt_out() -> None:
    story = Story("half \ud83d")
    (message,) = drain(Feed(story.stop(), 0))
    assert message["events"][0]["query"] == "half \\ud83d"
    json.dumps(message, ensure_ascii=False).encode("utf-8")


def test_two_who_watch_share_what_is_made() -> None:
    trace = nested()
    first, second = Feed(trace, 0), Feed(trace, 3)
    events = drain(first)[0]["events"][3:], drain(second)[0]["events"]
    assert all(one is other for one, other in zip(*events, strict=True))
    assert encoded(trace)[3].data is events[0][0]


def test_what_is_made_is_gone_with_the_last_who_watches() -> None:
    trace = nested()
    feed = Feed(trace, 0)
    (message,) = drain(feed)
    made = message["events"][0]
    del feed, message
    assert encoded(trace)[0].data is not made
