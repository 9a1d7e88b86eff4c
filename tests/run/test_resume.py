"""`run.resume()`: a run that was cut off, interrupted, exhausted or failed goes on, and pays for nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import divergences
from scripts import ask, code, scripted, submit
from server import Answer, ChatServer, by_kind, error

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.errors import ConfigError, ContextMismatch, NoAnswer, RequestRejected, ServerFailed
from rlm_kernel.trace import Trace


def once(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def asked(model: ScriptedModel) -> list[tuple[str, int]]:
    """Which calls asked the model, at which turn."""
    return [(request.call_id, request.turn) for request in model.requests]


def with_model(run: Run, model: ScriptedModel, context: Any = "some text") -> Run:
    """The run with another model to go on with."""
    return Run(Trace(run.trace.events)).answer_with(model).look_up_context(lambda: context)


def executed(run: Run, turn: int = 1) -> Any:
    """What the first block of that turn of the root did."""
    return run["0"].turns[turn - 1].blocks[0].executed


# Interrupted


def test_in_the_middle_of_a_batch_only_what_is_missing_is_asked() -> None:
    gate = asyncio.Event()

    async def llm(request: Request) -> str:
        if request.call_id in ("0.2.2", "0.2.4"):
            await gate.wait()
        return f"<{request.messages[0].content}>"

    model = scripted(
        code("first = llm_query('first')"),
        code("print('begun')", "rest = llm_query_batched(list('abcd'))"),
        submit("(first, rest)"),
        llm=llm,
    )
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: len(model.requests) == 7 and run["0.2.1"].answer and run["0.2.3"].answer)
    run.stop()
    assert run.status == "interrupted"
    before = len(model.requests)
    gate.set()
    resumed = run.resume()
    assert resumed.answer == "('<first>', ['<a>', '<b>', '<c>', '<d>'])"
    assert asked(model)[before:] == [("0.2.2", 1), ("0.2.4", 1), ("0", 3)]
    assert resumed.usage.requests == 3
    assert (resumed.origin.kind, resumed.origin.run) == ("resume", run.id)
    assert divergences(resumed) == []
    assert run.status == "interrupted"


def test_while_the_model_thinks_and_while_a_block_runs(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    async def root(request: Request) -> str:
        if request.turn == 1:
            return code("n = 1", f"open({str(begun)!r}, 'w').close()", "import time", "time.sleep(0.3)")
        await asyncio.sleep(60 if len(model.requests) == 2 else 0)
        return submit("n")

    model = ScriptedModel(root)
    run = RLM(model=model, trace_dir=None, isolation="worker").start("What?", context="x")
    once(begun.exists)
    run.stop()
    assert executed(run).error.type == "Interrupted"
    again = run.resume(wait=False)
    once(lambda: len(model.requests) == 2)
    assert executed(again).error is None
    again.stop()
    last = again.resume()
    assert (last.answer, asked(model)) == ("1", [("0", 1), ("0", 2), ("0", 2)])
    assert [each.origin.run for each in (again, last)] == [run.id, again.id]
    assert [turn.reply.mode for turn in last["0"].turns] == ["replayed", "scripted"]


def test_in_children_each_goes_on_from_its_own_turn() -> None:
    gate = asyncio.Event()

    async def child(request: Request) -> str:
        if request.turn == 1:
            return code("got = llm_query(context)")
        if request.call_id == "0.1.2":
            await gate.wait()
        return submit("got")

    model = scripted(code("r = rlm_query_batched(['q', 'q'], contexts=['a', 'b'])"), submit("r"), child=child)
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: len(model.requests) == 7 and run["0.1.1"].answer)
    run.stop()
    before = len(model.requests)
    gate.set()
    resumed = run.resume()
    assert resumed.answer == "['<a>', '<b>']"
    assert asked(model)[before:] == [("0.1.2", 2), ("0", 2)]


# Exhausted


def test_a_run_that_used_its_turns_needs_more_of_them() -> None:
    run, model = ask(code("n = 1"), code("n += 1"), "It is two.", max_turns=2)
    with pytest.raises(
        ConfigError, match=r"the run used its 2 turns: raise the limit .*limits={'max_turns': 4}"
    ):
        run.resume()
    with pytest.raises(ConfigError, match="raise the limit"):
        run.resume(limits={"max_turns": 2})
    assert len(model.requests) == 3
    more = scripted("", "", code("n += 1"), submit("n"))
    resumed = with_model(run, more).resume(limits={"max_turns": 4})
    assert (resumed.status, resumed.answer) == ("finished", "3")
    assert asked(more) == [("0", 3), ("0", 4)]
    assert resumed.origin.edit == {"limits": {"max_turns": 4}}


def test_a_run_whose_code_failed_too_often_may_try_again() -> None:
    run, model = ask(code("1/0"), "No code.", submit("'given up'"), max_errors=2)
    assert run.status == "exhausted"
    with pytest.raises(
        ConfigError, match=r"the last 2 turns brought no working code.*limits={'max_errors': 4}"
    ):
        run.resume()
    more = scripted("", "", submit("'fine'"))
    assert with_model(run, more).resume(limits={"max_errors": 4}).answer == "fine"
    assert len(model.requests) == 3


def test_a_run_whose_last_turn_gave_no_answer_either() -> None:
    with pytest.raises(NoAnswer) as caught:
        ask(code("n = 1"), code("1/0"), max_turns=1)
    run: Any = caught.value.run
    with pytest.raises(ConfigError, match="the run used its 1 turns"):
        run.resume()
    assert with_model(run, scripted("", submit("n"))).resume(limits={"max_turns": 3}).answer == "1"


def test_a_run_that_a_person_had_answer_early_goes_on() -> None:
    async def root(request: Request) -> str:
        if "This is your last reply" in request.messages[-1].content:
            return submit("'early'")
        if request.turn == 2 and len(model.requests) == 2:
            await asyncio.sleep(60)
        return code("n = 1") if request.turn == 1 else submit("n")

    model = ScriptedModel(root)
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: len(model.requests) == 2)
    run.answer_now().wait(10)
    assert run.answer == "early"
    resumed = run.resume()
    assert (resumed.status, resumed.answer) == ("finished", "1")
    assert asked(model)[3:] == [("0", 2)]


def test_a_run_that_used_its_tokens_or_its_time_has_them_anew() -> None:
    run, _ = ask(code("print('x' * 8000)"), "Early.", max_tokens=2000)
    assert (run.status, run.answer) == ("exhausted", "Early.")
    resumed = with_model(run, scripted("", submit("'done'"))).resume(limits={"max_tokens": 9000})
    assert (resumed.status, resumed.answer) == ("finished", "done")
    slow, _ = ask(code("import time", "time.sleep(5)"), "Early.", max_seconds=0.3)
    resumed = with_model(slow, scripted("", submit("'done'"))).resume(limits={"max_seconds": 30})
    assert (resumed.status, resumed.answer) == ("finished", "done")


# Failed


def test_a_server_that_failed_is_asked_again_and_only_for_what_it_owes() -> None:
    broken = [True]

    def llm(prompt: str) -> str | Answer:
        return f"<{prompt}>"

    def second(body: dict[str, Any]) -> str | Answer:
        reply = by_kind([code("r = llm_query_batched(['a', 'b'])"), submit("r")], llm)(body)
        return error(400, "not today") if broken[0] and len(body["messages"]) == 4 else reply

    with ChatServer(second) as server:
        with pytest.raises(RequestRejected, match="not today") as caught:
            RLM(model="m", base_url=server.url, trace_dir=None).run("What?", context="x")
        run: Any = caught.value.run
        assert len(server.asked) == 4
        broken[0] = False
        resumed = run.resume()
        assert resumed.answer == "['<a>', '<b>']"
        assert len(server.asked) == 5
    assert resumed.usage.requests == 1


def test_a_sub_call_that_failed_in_a_run_that_went_on_is_part_of_it() -> None:
    def llm(request: Request) -> str:
        raise ServerFailed("500", model="m", status=500)

    model = scripted(
        code("r = llm_query_batched(['a'])", "r = type(r[0]).__name__"),
        RequestRejected("too long", model="m", status=400),
        llm=llm,
    )
    with pytest.raises(RequestRejected) as caught:
        RLM(model=model, trace_dir=None).run("What?", context="some text")
    run: Any = caught.value.run
    more = scripted("", submit("r"))
    resumed = with_model(run, more).resume()
    assert (resumed.answer, asked(more)) == (run["0.1.1"].error and "SubcallError", [("0", 2)])


def test_another_model_takes_over_by_its_own_name(tmp_path: Path) -> None:
    with ChatServer([code("n = 1"), error(400, "no more")]) as server, pytest.raises(RequestRejected):
        RLM(model="small", base_url=server.url, trace_dir=tmp_path).run("What?", context="x")
    (path,) = tmp_path.glob("*.jsonl")
    with ChatServer(by_kind(["", submit("llm_query('a')")], "told")) as server:
        big = rlm_kernel.OpenAIModel("big", base_url=server.url)
        resumed = rlm_kernel.load(path).resume(model=big, context="x")
        assert [each.body["model"] for each in server.asked] == ["big", "big"]
    assert (resumed.answer, resumed.origin.edit) == ("told", {"model": "big"})
    assert resumed.replay().answer == "told"


# Cut off by a kernel that died


def child(request: Request) -> str:
    return code("got = llm_query_batched([context, context * 2])") if request.turn == 1 else submit("got")


WHOLE = (
    code("a = llm_query('a')", "b = llm_query_batched(['b', 'c'])"),
    code("d = rlm_query('q', context='d')"),
    submit("(a, b, d)"),
)


def test_after_each_event_it_goes_on_to_the_same_answer() -> None:
    run, first = ask(*WHOLE, child=child)
    for at in range(2, len(run.trace.events)):
        cut = Run(Trace(run.trace.events[:at]))
        assert cut.status == "cut off"
        model = scripted(*WHOLE, child=child)
        resumed = with_model(cut, model).resume()
        assert (resumed.status, resumed.answer) == ("finished", run.answer), at
        replied = sum(1 for event in run.trace.events[:at] if type(event).__name__ == "ModelReplied")
        assert len(model.requests) == len(first.requests) - replied, at
        assert divergences(resumed) == []


def test_a_second_time_after_the_first_one_was_cut_off_too() -> None:
    run, first = ask(*WHOLE, child=child)
    half = with_model(Run(Trace(run.trace.events[:9])), scripted(*WHOLE, child=child)).resume()
    for at in (12, 20, len(half.trace.events) - 1):
        model = scripted(*WHOLE, child=child)
        again = with_model(Run(Trace(half.trace.events[:at])), model).resume()
        assert again.answer == run.answer
        replied = sum(1 for event in half.trace.events[:at] if type(event).__name__ == "ModelReplied")
        assert len(model.requests) == len(first.requests) - replied


def test_from_the_file_of_a_kernel_that_died_in_the_middle_of_a_line(tmp_path: Path) -> None:
    run, _ = ask(code("n = llm_query('a')"), submit("n"), trace_dir=tmp_path)
    text = run.path.read_text()
    torn = tmp_path / "torn.rlm.jsonl"
    torn.write_text(text[: text.index('"model_replied"') + 400])
    model = scripted(code("n = llm_query('a')"), submit("n"))
    resumed = rlm_kernel.load(torn).resume(model=model, context="some text")
    assert (resumed.answer, resumed.path.parent) == (run.answer, tmp_path)


# What cannot be resumed


def test_a_run_that_has_finished_and_one_that_is_under_way() -> None:
    run, _ = ask(submit("1"))
    with pytest.raises(ConfigError, match="the run has finished: fork it at a step to go another way"):
        run.resume()

    async def never(request: Request) -> str:
        await asyncio.sleep(60)
        return "late"

    model = ScriptedModel(never)
    live = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: model.requests)
    with pytest.raises(ConfigError, match="still under way: stop it before it can be resumed"):
        live.resume()
    live.stop()


def test_over_another_context_only_when_that_is_meant() -> None:
    run, _ = ask(code("n = 1"), "It is one.", max_turns=1)
    more = scripted("", submit("context"))
    own = with_model(run, more)
    with pytest.raises(ContextMismatch):
        own.resume(context="other", limits={"max_turns": 3})
    resumed = own.resume(context="other", other_context=True, limits={"max_turns": 3})
    assert resumed.answer == "other"
    assert "context" in resumed.origin.edit


def test_a_scripted_run_from_a_file_says_what_it_needs(tmp_path: Path) -> None:
    run, _ = ask(code("n = 1"), "It is one.", max_turns=1, trace_dir=tmp_path)
    with pytest.raises(ConfigError, match="model=…"):
        rlm_kernel.load(run.path).resume(context="some text", limits={"max_turns": 3})


def test_a_trace_that_stops_before_its_first_step() -> None:
    run, _ = ask(submit("1"))
    for events in (run.trace.events[:1], []):
        with pytest.raises(ConfigError):
            Run(Trace(events)).resume(context="some text", model=scripted())
