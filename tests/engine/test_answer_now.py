"""A person wants the answer now: whatever is under way is cut short, and the model gets its one last turn."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts import ask, code, submit

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.errors import NoAnswer

EARLY = submit("'early'")
ASKED = "A person asked for the answer now. This is your last reply"


async def never(request: Request) -> str:
    await asyncio.sleep(600)
    return "late"


def is_last(request: Request) -> bool:
    return "This is your last reply" in request.messages[-1].content


class Hurried:
    """A run under way whose root says `turns`, and `last` in its last turn; its children say `child`."""

    def __init__(self, *turns: Any, last: Any = EARLY, child: Any = never, **options: Any) -> None:
        def rlm(request: Request) -> Any:
            said = child
            if request.call_id == "0":
                said = last if is_last(request) else turns[request.turn - 1]
            return said(request) if callable(said) else said

        self.model = ScriptedModel(rlm, llm=never)
        self.run: Run = RLM(model=self.model, **{"trace_dir": None, **options}).start("What?", context="text")

    def once(self, condition: Callable[[], object]) -> Hurried:
        """This, when the condition holds."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)
        return self

    def asked(self, requests: int) -> Hurried:
        """This, when its model has been asked so often."""
        return self.once(lambda: len(self.model.requests) == requests)

    def answer_now(self) -> Run:
        """The run as it ended, which it did soon."""
        started = time.monotonic()
        self.run.answer_now().wait(10)
        assert time.monotonic() - started < 3
        return self.run

    @property
    def told(self) -> str:
        """What the model was told before its last turn."""
        (last,) = [request for request in self.model.requests if is_last(request)]
        return last.messages[-1].content

    @property
    def block(self) -> Any:
        """What the first block did."""
        return self.run["0"].turns[0].blocks[0].executed


def test_while_the_model_thinks() -> None:
    hurried = Hurried(code("kept = 'so far'"), never, last=submit("kept")).asked(2)
    run = hurried.answer_now()
    assert (run.status, run["0"].status, run.answer) == ("exhausted", "exhausted", "so far")
    assert run["0"].how == "answer, in the last turn, as a person asked"
    assert hurried.told.startswith(ASKED)
    assert len(run["0"].turns) == 2
    assert run["0"].messages() == list(hurried.model.requests[-1].messages)


def test_before_the_first_turn_has_replied() -> None:
    hurried = Hurried(never, last="It is four.").asked(1)
    run = hurried.answer_now()
    assert (run.status, run.answer) == ("exhausted", "It is four.")
    assert run["0"].how == "plain text of the last turn, as a person asked"
    assert run["0"].messages() == list(hurried.model.requests[-1].messages)


def test_before_anything_was_asked() -> None:
    assert Hurried(never).answer_now().answer == "early"


def test_while_a_block_loops(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    loop = code("kept = 'so far'", "print('begun')", f"open({str(begun)!r}, 'w').close()", "while True: pass")
    turn = loop + "\n" + code("later = 1")
    hurried = Hurried(turn, last=submit("kept"), isolation="worker").once(begun.exists)
    run = hurried.answer_now()
    assert (run.status, run.answer) == ("exhausted", "so far")
    assert (hurried.block.stdout, hurried.block.error.type) == ("begun\n", "Interrupted")
    assert hurried.told.startswith("Block 1 printed (6 characters):\nbegun\n")
    assert "a person asked for the answer now" in hurried.told
    assert "Block 1 failed, so the 1 after it did not run." in hurried.told
    assert ASKED in hurried.told


def test_a_block_that_will_not_stop_loses_its_variables_and_the_model_is_told(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    stubborn = code(
        "lost = 1",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        f"open({str(begun)!r}, 'w').close()",
        "while True: pass",
    )
    last = submit("'lost' in globals()")
    hurried = Hurried(stubborn, last=last, isolation="worker").once(begun.exists)
    assert hurried.answer_now().answer == "False"
    assert hurried.block.error.type == "Interrupted"
    assert "your variables are lost" in hurried.told


def test_while_a_batch_hangs() -> None:
    hurried = Hurried(
        code("kept = 'so far'", "print('begun')", "llm_query_batched(['x'] * 5)"), last=submit("kept")
    ).asked(6)
    run = hurried.answer_now()
    assert (run.status, run.answer, run["0"].status) == ("exhausted", "so far", "exhausted")
    assert {run[f"0.1.{number}"].status for number in range(1, 6)} == {"interrupted"}
    assert hurried.told.startswith("Block 1 printed (6 characters):\nbegun\n")


def test_while_threads_of_a_block_wait_for_sub_calls() -> None:
    block = code(
        "from concurrent.futures import ThreadPoolExecutor",
        "kept = 'so far'",
        "with ThreadPoolExecutor(4) as pool:",
        "    list(pool.map(llm_query, 'abcd'))",
    )
    run = Hurried(block, last=submit("kept")).asked(5).answer_now()
    assert run.answer == "so far"
    assert {run[f"0.1.{number}"].status for number in range(1, 5)} == {"interrupted"}


def test_while_children_are_under_way() -> None:
    children = code("kept = 'so far'", "rlm_query_batched(['q'] * 3, contexts=['a', 'b', 'c'])")
    child = code("print('in the child', flush=True)", "llm_query('deep')")
    hurried = Hurried(children, last=submit("kept"), child=lambda request: child, max_workers=2).asked(5)
    run = hurried.answer_now()
    assert (run.status, run.answer) == ("exhausted", "so far")
    assert {run[call].status for call in ("0.1.1", "0.1.2", "0.1.3", "0.1.1.1.1")} == {"interrupted"}
    cut = run["0.1.1"].turns[0].blocks[0].executed
    assert cut is not None
    assert (cut.stdout, str(cut.error)[:11]) == ("in the child\n", "Interrupted")
    assert sum(is_last(request) for request in hurried.model.requests) == 1


def test_when_the_reply_has_just_come_its_blocks_do_not_run() -> None:
    started = threading.Event()

    async def reply(request: Request) -> str:
        await asyncio.to_thread(started.wait, 10)
        hurried.run.answer_now()
        return code("first = 1") + "\n" + code("second = 2")

    hurried = Hurried(reply, last=submit("[name for name in ('first', 'second') if name in globals()]"))
    started.set()
    run = hurried.run.wait(10)
    assert (run.status, run.answer, len(run["0"].turns)) == ("exhausted", "[]", 2)
    assert hurried.told.startswith("Note: Block 1 did not run, nor any after it.\n\n" + ASKED)


def test_without_an_answer_it_is_the_usual_error() -> None:
    hurried = Hurried(never, last=code("1/0")).asked(1)
    with pytest.raises(NoAnswer, match="A person asked for the answer now"):
        hurried.answer_now()
    assert hurried.run.status == "failed"


def test_what_the_answer_variable_holds_counts() -> None:
    hurried = Hurried(code("answer['content'] = 'so far'"), never, last=code("1/0")).asked(2)
    assert hurried.answer_now().answer == "so far"
    assert hurried.run["0"].how == 'answer["content"] when the run stopped, as a person asked'


def test_a_limit_that_is_reached_does_not_forbid_the_last_turn() -> None:
    hurried = Hurried(code("llm_query('x')"), max_turns=5, max_calls=1, max_seconds=60).asked(2)
    assert hurried.answer_now().answer == "early"


def test_after_the_end_nothing_happens(tmp_path: Path) -> None:
    run, model = ask(submit("'done'"), trace_dir=tmp_path)
    assert run.answer_now() is run
    assert (run.status, run.answer, len(model.requests)) == ("finished", "done", 1)
    assert run.path is not None
    assert rlm_kernel.load(run.path).answer_now().status == "finished"


def test_twice_is_once() -> None:
    released = threading.Event()

    async def slowly(request: Request) -> str:
        await asyncio.to_thread(released.wait, 10)
        return EARLY

    hurried = Hurried(never, last=slowly).asked(1)
    hurried.run.answer_now()
    hurried.asked(2).run.answer_now()
    released.set()
    assert hurried.run.wait(10).answer == "early"
    assert len(hurried.model.requests) == 2


def test_stop_during_the_last_turn_ends_the_run() -> None:
    hurried = Hurried(code("print('begun')", "llm_query('x')"), last=never).asked(2)
    hurried.run.answer_now()
    run = hurried.asked(3).run.stop()
    assert run.status == run["0"].status == run["0.1.1"].status == "interrupted"
    assert hurried.block.stdout == "begun\n"
    assert run.wait().answer is None


def test_stop_right_after_it_ends_the_run() -> None:
    hurried = Hurried(code("llm_query_batched(['x'] * 20)")).asked(21)
    hurried.run.answer_now()
    assert hurried.run.stop().status == "interrupted"
    assert {call.status for call in hurried.run.walk()} == {"interrupted"}


def test_from_any_thread_and_without_waiting() -> None:
    hurried = Hurried(never).asked(1)
    thread = threading.Thread(target=hurried.run.answer_now)
    thread.start()
    thread.join(1)
    assert not thread.is_alive()
    assert hurried.run.wait(10).answer == "early"


def test_the_run_beside_it_goes_on() -> None:
    other = Hurried(never).asked(1)
    Hurried(never).asked(1).answer_now()
    assert other.run.status == "running"
    other.run.stop()
