"""`run.replay()`: the code runs again, the replies come from the record, and whatever is not as it was is told."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from programs import divergences, story
from scripts import ask, code, scripted, seen, submit

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.engine import prompts
from rlm_kernel.errors import (
    ContextMismatch,
    ContextMissing,
    NoAnswer,
    RLMError,
    ServerFailed,
    TraceVersionError,
)
from rlm_kernel.trace import CallStarted, Trace


def once(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


async def never(request: Request) -> str:
    await asyncio.sleep(60)
    return "late"


def block(run: Run, turn: int = 1) -> Any:
    """What the first block of that turn of the root did."""
    return run["0"].turns[turn - 1].blocks[0].executed


def ended(run: Run, **options: Any) -> Run:
    """The replay, also of a run that failed."""
    again = run.replay(wait=False, **options)
    try:
        return again.wait(20)
    except RLMError:
        return again


# The same again


def test_a_replay_runs_the_code_and_asks_no_model() -> None:
    run, model = ask(code("parts = llm_query_batched(context.split())", "print(parts)"), submit("parts"))
    asked = len(model.requests)
    replay = run.replay()
    assert (replay.answer, replay.status) == (run.answer, "finished")
    assert len(model.requests) == asked
    assert block(replay).stdout == block(run).stdout
    assert divergences(replay) == []
    assert replay.id != run.id


def test_it_says_where_it_comes_from_and_what_its_replies_once_were() -> None:
    run, _ = ask(code("llm_query('a')"), submit("1"))
    replay = run.replay()
    assert (replay.origin.kind, replay.origin.run, replay.origin.at) == ("replay", run.id, "")
    for call in replay.walk():
        for turn in call.turns:
            assert (turn.reply.mode, turn.reply.first_mode) == ("replayed", "scripted")
    twice = replay.replay()
    assert twice.origin.run == replay.id
    assert twice["0"].reply.first_mode == "scripted"


def test_it_costs_nothing_and_still_knows_what_each_reply_took() -> None:
    run, _ = ask(code("llm_query('a')"), submit("1"))
    replay = run.replay()
    assert (replay.usage.requests, replay.usage.tokens, run.usage.requests) == (0, 0, 3)
    assert replay["0.1.1"].reply.usage.tokens == run["0.1.1"].reply.usage.tokens > 0


def test_its_trace_is_written_beside_the_first(tmp_path: Path) -> None:
    run, _ = ask(submit("'ok'"), trace_dir=tmp_path / "here")
    replay = run.replay()
    assert replay.path == tmp_path / "here" / f"{replay.id}.rlm.jsonl"
    assert rlm_kernel.load(replay.path).trace.events == replay.trace.events
    assert rlm_kernel.load(replay.path).origin.run == run.id


def test_the_first_run_stays_as_it_was(tmp_path: Path) -> None:
    run, _ = ask(code("llm_query('a')"), submit("1"), trace_dir=tmp_path)
    events, file = list(run.trace.events), run.path.read_bytes()
    run.replay()
    assert run.trace.events == events
    assert run.path.read_bytes() == file


# What differs is told where it does


def test_a_clock_a_file_and_the_systems_chance_are_told_at_their_step(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("before")
    run, _ = ask(
        code("import time", "print(time.time_ns())"),
        code(f"text = open({str(file)!r}).read()", "print(text)"),
        code("import os", "luck = os.urandom(8).hex()"),
        code("print('the same')"),
        submit("text"),
        readable=(str(file),),
    )
    file.write_text("after")
    replay = run.replay()
    assert replay.answer == "after"
    whats = [[each.what for each in block(replay, turn).divergences] for turn in range(1, 6)]
    assert whats == [["output"], ["output", "variables"], ["variables"], [], []]
    (output, variables) = block(replay, 2).divergences
    assert (output.recorded, output.found) == ("before\n", "after\n")
    assert (variables.recorded, variables.found) == ("+text: str (6) = before", "+text: str (5) = after")


def test_a_block_that_fails_this_time_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("before")
    run, _ = ask(code(f"text = open({str(file)!r}).read()"), submit("'done'"), readable=(str(tmp_path),))
    file.unlink()
    replay = run.replay()
    assert replay.answer == "done"
    (error, variables) = block(replay).divergences
    assert (error.what, error.recorded) == ("error", "")
    assert error.found.startswith("FileNotFoundError")
    assert variables.what == "variables"


def test_the_usual_chance_the_order_of_sets_and_addresses_are_no_difference() -> None:
    run, _ = ask(
        code("import random, numpy as np", "print(random.random(), np.random.rand(), {'a', 'b', 'c', 'd'})"),
        code("class Thing: pass", "thing = Thing()", "print(thing, object())"),
        submit("str(random.random())"),
    )
    replay = run.replay()
    assert replay.answer == run.answer
    assert divergences(replay) == []


def test_code_that_asks_something_else_gets_an_error_in_its_block_and_the_run_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("before")
    run, model = ask(
        code(f"text = open({str(file)!r}).read()"),
        code("try:", "    got = llm_query(text)", "except SubcallError as error:", "    got = str(error)"),
        submit("got"),
        readable=(str(file),),
    )
    file.write_text("after")
    asked = len(model.requests)
    replay = run.replay()
    assert len(model.requests) == asked
    assert replay.status == "finished"
    assert "MissingReply" in replay.answer
    lost = replay["0.2.1"]
    assert (lost.prompt, lost.status, lost.error.type) == ("after", "failed", "MissingReply")
    assert "fork the run at this step, or resume it" in lost.error.message
    (sub_calls,) = [each for each in block(replay, 2).divergences if each.what == "sub-calls"]
    assert (sub_calls.recorded, sub_calls.found) == ("1", "0 of them, 1 others")


def test_code_that_asks_less_this_time_is_told(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("3")
    run, _ = ask(
        code(f"for n in range(int(open({str(file)!r}).read())): llm_query(str(n))"),
        submit("'done'"),
        readable=(str(file),),
    )
    file.write_text("2")
    replay = run.replay()
    assert [call.id for call in replay.walk()] == ["0", "0.1.1", "0.1.2"]
    (sub_calls,) = [each for each in block(replay).divergences if each.what == "sub-calls"]
    assert (sub_calls.recorded, sub_calls.found) == ("3", "2 of them, 0 others")


def test_equal_prompts_with_different_replies_come_back_in_their_places() -> None:
    replies = iter(range(100))
    run, _ = ask(
        code("a = llm_query_batched(['q'] * 3)", "b = [llm_query('q') for _ in range(2)]"),
        code("c = llm_query('q')"),
        submit("(a, b, c)"),
        llm=lambda request: str(next(replies)),
    )
    assert run.replay().answer == run.answer == "(['0', '1', '2'], ['3', '4'], '5')"


# The context


def test_another_context_is_named_and_allowed_when_asked() -> None:
    run, _ = ask(code("print(len(context))"), submit("context"), context="some text")
    with pytest.raises(
        ContextMismatch, match=r"not the context of the run: that was a str of length 9 .*, this is a str "
    ):
        run.replay(context="other text")
    replay = run.replay(context="other text", other_context=True)
    assert replay.answer == "other text"
    assert replay.origin.edit["context"].startswith("a str of length 10 (SHA-256 ")
    assert [each.what for each in block(replay).divergences] == ["output"]


def test_the_same_context_is_no_other_one() -> None:
    run, _ = ask(submit("context"), context="some text")
    replay = run.replay(context="some " + "text", other_context=True)
    assert replay.origin.edit == {}


def test_a_context_that_was_changed_since_is_told() -> None:
    papers = ["one", "two"]
    run, _ = ask(submit("len(context)"), context=papers)
    papers.append("three")
    with pytest.raises(ContextMismatch, match=r"that was a list of length 2 .* this is a list of length 3 "):
        run.replay()
    assert run.replay(context=["one", "two"]).answer == "2"


def test_a_context_that_is_nowhere_is_asked_for(tmp_path: Path) -> None:
    run, _ = ask(submit("len(context)"), trace_dir=tmp_path)
    loaded = rlm_kernel.load(run.path)
    with pytest.raises(ContextMissing, match=r"asked about 'context' \(a str\).* pass it as context=…"):
        loaded.replay()
    assert loaded.replay(context="some text").answer == "9"


@pytest.mark.parametrize(
    "context",
    [
        pd.DataFrame({"year": [2024, 2025], "title": ["a", None]}),
        ["a", "b", 3.5],
        {"papers": ["a"], "reviews": {"b": (1, 2)}},
        {"a", "b", "c"},
        b"bytes",
        12,
        None,
    ],
    ids=lambda context: type(context).__name__,
)
def test_a_context_of_any_type(context: Any, tmp_path: Path) -> None:
    run, _ = ask(
        code("print(type(context), context)"), submit("str(context)"), context=context, trace_dir=tmp_path
    )
    for again in (run.replay(), rlm_kernel.load(run.path).replay(context=context)):
        assert again.answer == run.answer
        assert divergences(again) == []


def test_a_context_for_a_run_that_had_none_is_another_one() -> None:
    run, _ = ask(submit("str(context)"), context=None)
    with pytest.raises(ContextMismatch, match="the run had no context"):
        run.replay(context="some text")
    replay = run.replay(context="some text", other_context=True)
    assert (replay.answer, replay.trace.started.context.type) == ("some text", "str")


def test_a_file_in_another_kernel_given_its_context(tmp_path: Path) -> None:
    papers = {"titles": ["one", "two"], "tags": {"red", "green", "blue", "black", "white"}}
    run, _ = ask(
        code("r = llm_query_batched(context['titles'])", "print(sorted(context['tags']))"),
        submit("r"),
        context=papers,
        trace_dir=tmp_path,
    )
    program = (
        "import json, sys, rlm_kernel\n"
        "papers = {'titles': ['one', 'two'], 'tags': {'white', 'red', 'green', 'blue', 'black'}}\n"
        "run = rlm_kernel.load(sys.argv[1]).replay(context=papers)\n"
        "told = [b.executed.divergences for t in run['0'].turns for b in t.blocks]\n"
        "print(json.dumps([run.answer, run.usage.requests, str(run.path), [list(each) for each in told]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(run.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    answer, requests, path, told = json.loads(done.stdout)
    assert (answer, requests, told) == (run.answer, 0, [[], []])
    assert Path(path).parent == tmp_path


# Runs that did not simply finish


@pytest.mark.parametrize(
    ("replies", "options"),
    [
        ([code("a = 1"), code("b = 2"), "It is three."], {"max_turns": 2}),
        ([code("1/0"), code("1/0"), submit("'no'")], {"max_errors": 2}),
        ([code("a = 1"), code("print('x' * 9000)"), "Four."], {"max_tokens": 2500}),
        ([code("answer['content'] = 'kept'"), code("1/0")], {"max_turns": 1}),
        ([code("llm_query_batched(['x'] * 3)"), code("llm_query('y')"), submit("1")], {"max_calls": 2}),
    ],
    ids=["max_turns", "max_errors", "max_tokens", "content", "max_calls"],
)
def test_a_run_that_reached_a_limit(replies: list[str], options: dict[str, Any]) -> None:
    run, model = ask(*replies, **options)
    asked = len(model.requests)
    replay = run.replay()
    assert (len(model.requests), divergences(replay)) == (asked, [])
    assert story(replay) == story(run)
    assert (replay.status, replay["0"].how) == (run.status, run["0"].how)


def test_a_run_whose_time_was_over_takes_no_longer_the_second_time() -> None:
    run, _ = ask(code("import time", "time.sleep(30)"), submit("'late'"), max_seconds=0.3)
    assert run.status == "exhausted"
    started = time.monotonic()
    replay = run.replay()
    assert time.monotonic() - started < 5
    assert (replay.status, replay.answer, divergences(replay)) == ("exhausted", "late", [])


def test_a_child_that_passed_the_limit_of_tokens() -> None:
    run, _ = ask(
        code(
            "try:", "    r = rlm_query('deep', context='c')", "except SubcallError as error: r = str(error)"
        ),
        submit("r"),
        child=lambda request: code(f"print('{request.turn}' * 4000)"),
        max_tokens=6000,
    )
    assert run["0.1.1"].error.type == "LimitExceeded"
    replay = run.replay()
    assert divergences(replay) == []
    assert story(replay) == story(run)


def test_a_run_that_failed_fails_again_in_the_same_way() -> None:
    model = scripted(code("a = 1"), ServerFailed("500", model="m", status=500))
    with pytest.raises(ServerFailed) as first:
        RLM(model=model, trace_dir=None).run("What?", context="x")
    with pytest.raises(ServerFailed, match="500") as second:
        first.value.run.replay()
    assert len(model.requests) == 2
    assert second.value.run is not first.value.run
    assert story(second.value.run) == story(first.value.run)


def test_a_run_that_gave_no_answer_gives_none_again() -> None:
    with pytest.raises(NoAnswer) as first:
        ask(code("a = 1"), code("1/0"), max_turns=1)
    with pytest.raises(NoAnswer):
        first.value.run.replay()


def test_a_sub_call_that_failed_fails_again() -> None:
    def llm(request: Request) -> str:
        raise ServerFailed("500 from the server", model="m", status=500)

    run, _ = ask(code("r = llm_query_batched(['a', 'b'])", "print(r[0])"), submit("'went on'"), llm=llm)
    replay = run.replay()
    assert divergences(replay) == []
    assert replay["0.1.2"].error == run["0.1.2"].error
    assert replay["0.1.2"].turns[0].reply.mode == "replayed"


def test_a_block_that_took_too_long_is_stopped_again() -> None:
    run, _ = ask(code("print('begun')", "while True: pass"), submit("'on'"), block_seconds=0.2)
    replay = run.replay()
    assert (block(replay).error.type, block(replay).stdout) == ("TimeoutError", "begun\n")
    assert (replay.answer, divergences(replay)) == ("on", [])


def test_a_block_that_a_person_cut_short_is_cut_short_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    sleeper = code("kept = 1", f"open({str(begun)!r}, 'w').close()", "import time", "time.sleep(40)")
    run = RLM(model=scripted(sleeper, submit("kept")), trace_dir=None, isolation="worker").start(
        "What?", context="x"
    )
    once(begun.exists)
    run.answer_now().wait(10)
    started = time.monotonic()
    replay = run.replay()
    assert time.monotonic() - started < 10
    assert (replay.status, replay.answer) == (run.status, "1")
    assert divergences(replay) == []
    assert replay["0"].how == run["0"].how


def test_a_batch_that_a_person_cut_short() -> None:
    async def llm(request: Request) -> str:
        if request.call_id == "0.1.2":
            await asyncio.sleep(60)
        return "told"

    batch = code("one = llm_query('a')", "print('between')", "llm_query_batched(['b', 'c'])")
    run = RLM(model=scripted(batch, submit("one"), llm=llm), trace_dir=None).start("What?", context="x")
    once(lambda: "0.1.3" in run.trace.tree.calls and run["0.1.3"].answer)
    run.answer_now().wait(10)
    replay = run.replay()
    assert (replay.status, replay.answer) == ("exhausted", "told")
    assert divergences(replay) == []
    assert story(replay) == story(run)


def test_children_that_a_person_cut_short() -> None:
    children = code("kept = 'so far'", "rlm_query_batched(['q'] * 2, contexts=['a', 'b'])")
    model = scripted(children, submit("kept"), child=lambda _: code("llm_query('deep')"), llm=never)
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: len(model.requests) == 5)
    run.answer_now().wait(10)
    assert {call.status for call in run.walk()} == {"exhausted", "interrupted"}
    replay = run.replay()
    assert (replay.status, replay.answer) == ("exhausted", "so far")
    assert divergences(replay) == []
    assert [call.status for call in replay.walk()] == [call.status for call in run.walk()]


def test_a_run_that_was_interrupted_comes_as_far_as_it_came() -> None:
    model = scripted(code("one = 1", "print('begun')"), code("got = llm_query('a')"), llm=never)
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: len(model.requests) == 3)
    run.stop()
    replay = ended(run)
    assert replay.status == "failed"
    assert replay.error.type == "MissingReply"
    assert block(replay).stdout == "begun\n"
    assert len(model.requests) == 3


def test_a_run_that_is_still_under_way_is_replayed_as_far_as_it_is() -> None:
    model = scripted(code("one = 1", "print('begun')"), code("got = llm_query('a')"), llm=never)
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: len(model.requests) == 3)
    replay = ended(run)
    assert (block(replay).stdout, replay.error.type) == ("begun\n", "MissingReply")
    assert run.status == "running"
    run.stop()


def test_a_run_that_was_told_to_answer_before_its_first_reply() -> None:
    async def reply(request: Request) -> str:
        if "This is your last reply" in request.messages[-1].content:
            return submit("'early'")
        await asyncio.sleep(60)
        return "late"

    model = ScriptedModel(reply)
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    once(lambda: model.requests)
    run.answer_now().wait(10)
    replay = run.replay()
    assert (replay.status, replay.answer, replay["0"].how) == (run.status, run.answer, run["0"].how)
    assert story(replay) == story(run)


# Traces of other versions


def test_prompts_that_are_worded_otherwise_today_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    run, model = ask(
        code("r = rlm_query('deep', context='c')", "s = llm_query('a')"),
        submit("r + s"),
        child=lambda request: submit("context * 2"),
    )
    first = [message.content for message in run["0"].messages()]
    system, opening = prompts.system, prompts.opening
    monkeypatch.setattr(prompts, "system", lambda *args: "Other words. " + system(*args))
    monkeypatch.setattr(prompts, "opening", lambda *args: "Other words. " + opening(*args))
    monkeypatch.setattr(prompts, "turn_line", lambda turn, of: "other words")
    replay = run.replay()
    assert (replay.answer, divergences(replay)) == (run.answer, [])
    assert [message.content for message in replay["0"].messages()] == first
    asked = len(model.requests)
    fork = run.fork("0.2", hint="Be brief.")
    assert len(model.requests) == asked + 1
    assert [message.content for message in model.requests[-1].messages[:2]] == first[:2]
    assert fork.answer == run.answer


def test_a_trace_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    run, _ = ask(submit("1"), trace_dir=tmp_path)
    lines = run.path.read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), "format": 2})
    newer = tmp_path / "newer.rlm.jsonl"
    newer.write_text("\n".join(lines) + "\n")
    with pytest.raises(TraceVersionError):
        rlm_kernel.load(newer)


def test_a_trace_without_lanes_of_threads_is_replayed_too() -> None:
    threads = code(
        "from concurrent.futures import ThreadPoolExecutor",
        "with ThreadPoolExecutor(3) as pool: r = list(pool.map(llm_query, 'abc'))",
    )
    run, _ = ask(threads, submit("r"))
    events = [
        replace(event, site=replace(event.site, lane=""))
        if isinstance(event, CallStarted) and event.site
        else event
        for event in run.trace.events
    ]
    old = Run(Trace(events))
    assert old.replay(context="some text").answer == run.answer


def test_seen_stays_the_model_s_view() -> None:
    run, model = ask(code("print('shown')"), submit("1"))
    assert "shown" in seen(model, 2)
    assert run.replay()["0"].messages(2) == run["0"].messages(2)
