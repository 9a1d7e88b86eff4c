"""The path that a person names a step of a run by."""

from __future__ import annotations

import pytest

from rlm_kernel.errors import UnknownStep
from rlm_kernel.trace import CallStarted, Event, Message, ModelAsked, Trace, find_step
from rlm_kernel.trace.call import Tree


@pytest.fixture
def tree() -> Tree:
    """The root with two turns, a child in the second, which has a turn with a plain request."""

    def started(call_id: str, kind: str, depth: int) -> CallStarted:
        return CallStarted(call_id=call_id, kind=kind, depth=depth, model="m", prompt=call_id)  # type: ignore[arg-type]

    def asked(call_id: str, turn: int) -> ModelAsked:
        return ModelAsked(call_id=call_id, turn=turn, messages=(Message(role="user", content="x"),))

    events: list[Event] = [
        started("0", "rlm", 0),
        asked("0", 1),
        asked("0", 2),
        started("0.2.1", "rlm", 1),
        asked("0.2.1", 1),
        started("0.2.1.1.1", "llm", 2),
    ]
    return Trace(events).tree


@pytest.mark.parametrize("path", ["0", "0.2.1", "0.2.1.1.1"])
def test_an_odd_path_is_a_call(path: str, tree: Tree) -> None:
    step = find_step(tree, path)
    assert (step.call.id, step.turn, str(step)) == (path, None, path)


@pytest.mark.parametrize(
    ("path", "call", "turn"), [("0.1", "0", 1), ("0.2", "0", 2), ("0.2.1.1", "0.2.1", 1)]
)
def test_an_even_path_is_a_turn_of_a_call(path: str, call: str, turn: int, tree: Tree) -> None:
    step = find_step(tree, path)
    assert step.turn is not None
    assert (step.call.id, step.turn.number, str(step)) == (call, turn, path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "1",
        "0.3",
        "0.0",
        "0.01",
        "00",
        "0.2.2",
        "0.2.1.2",
        "0.2.1.1.2",
        "0.2.1.1.1.1",
        "0.",
        ".0",
        "0.1.a",
        "٠",
        "0\n",
    ],
)
def test_any_other_path_is_unknown_and_the_near_ones_are_named(path: str, tree: Tree) -> None:
    with pytest.raises(UnknownStep, match=r"no call or turn .* in this run; there are 0") as caught:
        find_step(tree, path)
    assert caught.value.step == path
    assert isinstance(caught.value, KeyError)


def test_the_nearest_are_named_first(tree: Tree) -> None:
    with pytest.raises(
        UnknownStep, match=r"'0\.2\.1\.1\.2' in this run; there are 0\.2\.1\.1\.1, 0\.2\.1\.1, "
    ):
        find_step(tree, "0.2.1.1.2")


def test_looking_for_a_step_makes_none(tree: Tree) -> None:
    with pytest.raises(UnknownStep):
        find_step(tree, "0.7")
    assert [turn.number for turn in tree.calls["0"].turns] == [1, 2]


def test_a_plain_request_has_no_turns_to_name(tree: Tree) -> None:
    with pytest.raises(UnknownStep):
        find_step(tree, "0.2.1.1.1.1")


def test_in_a_run_without_a_step_nothing_is_known() -> None:
    with pytest.raises(UnknownStep):
        find_step(Trace([]).tree, "0")
