"""`RLM(step=True)`: each block waits for a person, who has it run, changes it, skips it, or ends the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from programs import divergences, story
from scripts import code, scripted, submit

from rlm_kernel import RLM, Run, ScriptedModel
from rlm_kernel.errors import ConfigError
from rlm_kernel.trace import BlockHeld, Trace


def start(*replies: str, model: ScriptedModel | None = None, **options: Any) -> Run:
    """A run under way that holds each of its blocks."""
    model = model or scripted(*replies)
    return RLM(model=model, trace_dir=None, step=True, **options).start("What?", context="some text")


def held(run: Run, *place: Any) -> str:
    """The code of the block that waits there, once it does: by default the first of the root."""
    deadline = time.monotonic() + 10
    wanted = place or ("0", 1, 1)
    while True:
        waiting = dict(run.waiting)
        if wanted in waiting:
            return waiting[wanted]
        assert time.monotonic() < deadline, f"{wanted} was never held, {waiting} are"
        time.sleep(0.005)


def executed(run: Run, turn: int = 1, block: int = 1) -> Any:
    """What that block of the root did."""
    return run["0"].turns[turn - 1].block(block).executed


def test_each_block_waits_and_runs_when_it_may() -> None:
    run = start(code("n = 1") + "\n" + code("n += 1"), submit("n"))
    assert held(run) == "n = 1"
    assert run["0"].turns[0].blocks[0].executed is None
    assert run.decide("0", 1, 1)
    assert held(run, "0", 1, 2) == "n += 1"
    assert run.decide("0", 1, 2)
    held(run, "0", 2, 1)
    assert run.decide("0", 2, 1)
    assert run.finish().answer == "2"
    assert [event.block for event in run.trace.events if isinstance(event, BlockHeld)] == [1, 2, 1]
    assert {executed(run).decision, executed(run, 2).decision} == {""}
    assert run.waiting == []


def test_a_changed_block_is_what_runs_and_the_model_is_told() -> None:
    model = scripted(code("n = 1"), submit("n"))
    run = start(model=model)
    held(run)
    assert run.decide("0", 1, 1, "edited", "n = 7")
    held(run, "0", 2, 1)
    run.step_no_more()
    assert run.finish().answer == "7"
    assert (executed(run).code, executed(run).decision) == ("n = 7", "edited")
    assert model.requests[1].messages[-1].content.startswith("The user changed block 1 before it ran.")


def test_other_code_is_an_edit_whatever_it_is_called() -> None:
    run = start(code("n = 1"), submit("n"))
    held(run)
    run.decide("0", 1, 1, code="n = 7")
    held(run, "0", 2, 1)
    run.step_no_more()
    assert run.finish().answer == "7"
    assert executed(run).decision == "edited"


def test_a_skipped_block_does_not_run_and_the_model_is_told() -> None:
    model = scripted(code("n = 1"), submit("'n' in globals()"))
    run = start(model=model)
    held(run)
    assert run.decide("0", 1, 1, "skipped")
    held(run, "0", 2, 1)
    run.step_no_more()
    assert run.finish().answer == "False"
    assert executed(run).decision == "skipped"
    assert "Block 1 did not run: the user skipped it." in model.requests[1].messages[-1].content


def test_a_block_that_is_not_held_is_nobody_s_to_decide() -> None:
    run = start(submit("1"))
    held(run)
    assert not run.decide("0", 1, 2)
    assert not run.decide("0.1.1", 1, 1)
    assert run.decide("0", 1, 1)
    run.finish()
    assert not run.decide("0", 1, 1)


def test_to_step_no_more_lets_all_go_on() -> None:
    run = start(code("n = 1"), code("n += 1"), submit("n"))
    held(run)
    assert run.step_no_more() is run
    assert run.finish().answer == "2"


def test_children_are_held_too_and_one_by_one() -> None:
    model = scripted(
        code("r = rlm_query_batched(['q', 'q'], contexts=['a', 'b'])"),
        submit("r"),
        child=lambda request: submit("context"),
    )
    run = start(model=model)
    held(run)
    run.decide("0", 1, 1)
    held(run, "0.1.1", 1, 1)
    held(run, "0.1.2", 1, 1)
    assert run.decide("0.1.2", 1, 1, "edited", "answer.update(content='mine', ready=True)")
    assert run.decide("0.1.1", 1, 1)
    held(run, "0", 2, 1)
    run.decide("0", 2, 1)
    assert run.finish().answer == "['a', 'mine']"


def test_time_stands_still_while_a_block_is_held() -> None:
    run = start(code("n = 1"), submit("n"), max_seconds=0.6)
    held(run)
    time.sleep(0.9)
    run.step_no_more()
    assert run.finish().status == "finished"


def test_time_stands_still_for_the_parent_of_a_held_child_too() -> None:
    model = scripted(
        code("r = rlm_query('q', context='c')"), submit("r"), child=lambda request: submit("context")
    )
    run = start(model=model, max_seconds=1.0, block_seconds=0.5)
    held(run)
    run.decide("0", 1, 1)
    held(run, "0.1.1", 1, 1)
    time.sleep(1.4)
    assert run.status == "running"
    assert run.waiting
    run.step_no_more()
    assert (run.finish().status, run.answer) == ("finished", "c")


@pytest.mark.parametrize("end", ["stop", "answer_now"])
def test_a_run_is_ended_while_it_is_held(end: str) -> None:
    model = scripted(code("n = 1"), submit("'early'"))
    run = start(model=model)
    held(run)
    started = time.monotonic()
    if end == "stop":
        assert run.stop().status == "interrupted"
    else:
        run.answer_now()
        wait_for(lambda: dict(run.waiting) or not run.trace.live)
        run.step_no_more()
        assert (run.wait(10).status, run.answer) == ("exhausted", "early")
    assert time.monotonic() - started < 5
    assert run.waiting == []


def wait_for(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def stepped() -> Run:
    """A run whose first block was changed, whose second was skipped, and whose third ran as it was."""
    run = start(code("n = llm_query('a')"), code("n = 'no'"), submit("n"))
    held(run)
    run.decide("0", 1, 1, "edited", "n = llm_query('b')")
    held(run, "0", 2, 1)
    run.decide("0", 2, 1, "skipped")
    held(run, "0", 3, 1)
    run.decide("0", 3, 1)
    return run.finish()


def test_a_replay_decides_as_the_person_did_and_asks_nobody() -> None:
    run = stepped()
    assert run.answer == "<b>"
    replay = run.replay()
    assert (replay.answer, divergences(replay)) == ("<b>", [])
    assert [executed(replay, turn).decision for turn in (1, 2, 3)] == ["edited", "skipped", ""]
    assert not [event for event in replay.trace.events if isinstance(event, BlockHeld)]
    assert story(replay) == story(run)


def test_a_fork_keeps_what_the_person_decided_before_it() -> None:
    run = stepped()
    model = scripted("", "", submit("n + '!'"))
    fork = Run(Trace(run.trace.events)).answer_with(model).fork("0.3", context="some text")
    assert fork.answer == "<b>!"
    assert len(model.requests) == 1


def test_a_resume_runs_the_changed_block_that_was_stopped() -> None:
    gate = threading.Event()

    def llm(request: Any) -> Any:
        import asyncio

        return f"<{request.messages[0].content}>" if gate.is_set() else asyncio.sleep(60, "late")

    model = scripted(code("n = llm_query('a')"), submit("n"), llm=llm)
    run = start(model=model)
    held(run)
    run.decide("0", 1, 1, "edited", "n = llm_query('b')")
    wait_for(lambda: len(model.requests) == 2)
    run.stop()
    assert executed(run).decision == "edited"
    gate.set()
    resumed = run.resume()
    assert resumed.answer == "<b>"
    assert (executed(resumed).decision, executed(resumed).code) == ("edited", "n = llm_query('b')")


def test_a_changed_block_that_does_not_parse_is_an_error_of_the_block() -> None:
    run = start(code("n = 1"), submit("'on'"))
    held(run)
    run.decide("0", 1, 1, "edited", "for")
    held(run, "0", 2, 1)
    run.step_no_more()
    assert run.finish().answer == "on"
    assert executed(run).error.type == "SyntaxError"


def test_what_is_not_a_decision_is_refused() -> None:
    run = start(submit("1"))
    held(run)
    decide: Any = run.decide
    with pytest.raises(ConfigError, match="a decision is"):
        decide("0", 1, 1, "maybe")
    with pytest.raises(ConfigError, match="code="):
        decide("0", 1, 1, "edited")
    run.stop()
