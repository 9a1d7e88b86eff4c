"""Events as JSON and back."""

import json
import re

import pytest
from hypothesis import given, settings
from trace_strategies import EVENT, made

from rlm_kernel.errors import TraceError
from rlm_kernel.trace import (
    CallFinished,
    CallStarted,
    ErrorInfo,
    Message,
    ModelAsked,
    RunStarted,
    from_dict,
    to_dict,
)
from rlm_kernel.trace.events import EVENT_NAMES, EVENT_TYPES, FORMAT, Event


def test_the_format_is_1_and_its_events_have_these_names() -> None:
    assert FORMAT == 1
    assert list(EVENT_TYPES) == [
        "run_started",
        "call_started",
        "model_asked",
        "model_replied",
        "block_held",
        "code_executed",
        "run_paused",
        "run_continued",
        "call_finished",
        "run_finished",
    ]


def test_an_event_as_data() -> None:
    event = ModelAsked(seq=4, t=0.5, call_id="0", turn=2, messages=(Message(role="user", content="Go on."),))
    assert to_dict(event) == {
        "type": "model_asked",
        "seq": 4,
        "t": 0.5,
        "call_id": "0",
        "turn": 2,
        "messages": [{"role": "user", "content": "Go on."}],
    }


def test_fields_at_their_default_are_left_out() -> None:
    assert to_dict(CallFinished(seq=0, call_id="0", status="finished")) == {
        "type": "call_finished",
        "seq": 0,
        "call_id": "0",
        "status": "finished",
    }


@settings(deadline=None, max_examples=300)
@given(event=EVENT)
def test_any_event_comes_back_as_it_was(event: Event) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(event), allow_nan=False))) == event


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_kind_comes_back(kind: type[Event]) -> None:
    @settings(deadline=None, max_examples=10)
    @given(event=made(kind))
    def comes_back(event: Event) -> None:
        data = to_dict(event)
        assert data["type"] == EVENT_NAMES[kind]
        assert from_dict(json.loads(json.dumps(data))) == event

    comes_back()


def test_settings_may_hold_lists() -> None:
    event = RunStarted(
        run_id="r",
        query="q",
        started="",
        version="",
        mode="live",
        isolation="",
        settings={"stop": ["a", "b"]},
    )
    assert to_dict(event)["settings"] == {"stop": ["a", "b"]}


def test_unknown_fields_are_ignored() -> None:
    data = {"type": "call_finished", "call_id": "0", "status": "finished", "mood": "good", "__proto__": {}}
    assert from_dict(data) == CallFinished(call_id="0", status="finished")


def test_an_unknown_kind_is_nothing() -> None:
    assert from_dict({"type": "call_renamed", "call_id": "0"}) is None


@pytest.mark.parametrize("data", [{}, {"type": None}, {"type": 3}, {"type": []}, {"type": {}}], ids=repr)
def test_an_event_without_a_kind_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(TraceError, match="an event without a 'type'"):
        from_dict(data)


STARTED = {"type": "call_started", "call_id": "0", "kind": "rlm", "depth": 0, "model": "m", "prompt": "p"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": 3}, "expected str, found int"),
        ({"depth": "0"}, "expected int, found str"),
        ({"depth": 1.5}, "expected int, found float"),
        ({"depth": True}, "expected int, found bool"),
        ({"t": "now"}, "expected a number, found str"),
        ({"t": True}, "expected a number, found bool"),
        ({"kind": "tool"}, "expected one of rlm, llm; found 'tool'"),
        ({"kind": ["rlm"]}, "expected one of rlm, llm"),
        ({"context": []}, "expected ContextCard, found list"),
        ({"context": {"name": "x", "type": "str", "chars": "7"}}, "expected int, found str"),
        ({"batch": {"id": "0.1.1", "index": 0}}, "size"),
        ({"depth_capped": 1}, "expected bool, found int"),
        ({"prompt": None}, "expected str, found NoneType"),
    ],
    ids=repr,
)
def test_a_wrong_type_is_refused_in_words(fields: dict[str, object], told: str) -> None:
    with pytest.raises(TraceError, match=re.escape(told)):
        from_dict({**STARTED, **fields})


def test_a_wrong_type_names_its_field() -> None:
    with pytest.raises(TraceError, match="depth"):
        from_dict({**STARTED, "depth": "0"})


def test_a_missing_field_is_named() -> None:
    with pytest.raises(TraceError, match="'status'"):
        from_dict({"type": "call_finished", "call_id": "0"})


@pytest.mark.parametrize(
    "number", [10**400, -(10**400), float("nan"), float("inf")], ids=["huge", "deep", "nan", "inf"]
)
def test_a_number_that_no_clock_shows_is_refused(number: float) -> None:
    with pytest.raises(TraceError):
        from_dict({**STARTED, "t": number})


def test_an_error_reads_as_a_sentence() -> None:
    assert (
        str(ErrorInfo(type="NameError", message="name 'x' is not defined"))
        == "NameError: name 'x' is not defined"
    )
    assert str(ErrorInfo(type="KeyboardInterrupt", message="")) == "KeyboardInterrupt"


def test_an_event_is_frozen() -> None:
    event = CallStarted(call_id="0", kind="rlm", depth=0, model="m", prompt="p")
    with pytest.raises(AttributeError):
        event.prompt = "another"  # type: ignore[misc]
