"""`run.rerun()`: one call asked again alone; the variants stand beside what it gave, and the run stays as it is."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fickle import childless_again
from programs import divergences
from scripts import ask, code, scripted, submit
from server import Answer, ChatServer, by_kind, error

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.errors import (
    ConfigError,
    ContextMissing,
    NotReached,
    RequestRejected,
    ServerFailed,
    UnknownStep,
)
from rlm_kernel.trace import Trace


def with_model(run: Run, model: ScriptedModel, context: Any = "some text") -> Run:
    """The run with another model to go on with."""
    return Run(Trace(run.trace.events)).answer_with(model).look_up_context(lambda: context)


def llm_model(reply: Any) -> ScriptedModel:
    """A model that only plain requests are expected of."""
    return ScriptedModel([], llm=reply)


@pytest.fixture
def run() -> Run:
    """Two parts are asked, and a child about each of two contexts."""
    return ask(
        code("a = llm_query('What is in it?')", "b = llm_query('And then?')"),
        code("c = rlm_query('How long?', context=context * 2)"),
        submit("(a, b, c)"),
        child=lambda request: submit("len(context)"),
    )[0]


# A plain request


def test_a_plain_request_is_asked_as_it_was(run: Run) -> None:
    model = llm_model(lambda request: "something else")
    events = list(run.trace.events)
    variants = with_model(run, model).rerun("0.1.1")
    (request,) = model.requests
    assert request.messages[0].content == "What is in it?"
    assert request.hash == run["0.1.1"].reply.request_hash
    assert variants.answers == ["something else"]
    assert (variants.original.answer, variants.original.prompt) == ("<What is in it?>", "What is in it?")
    assert variants[0].origin.original == variants.original
    assert (variants[0].origin.kind, variants[0].origin.run, variants[0].origin.at) == (
        "rerun",
        run.id,
        "0.1.1",
    )
    assert variants[0].usage.requests == 1
    assert run.trace.events == events
    assert variants.agreement is None


def test_with_another_prompt(run: Run) -> None:
    variants = with_model(run, llm_model(lambda request: request.messages[0].content[::-1])).rerun(
        "0.1.2", prompt="Now what?"
    )
    assert variants.answers == ["?tahw woN"]
    assert variants[0].origin.edit == {"prompt": "Now what?"}
    assert variants[0]["0"].prompt == variants[0].query == "Now what?"


def test_many_samples_and_how_far_they_agree(run: Run) -> None:
    words = iter(["yes", "Yes ", "no", "yes"])
    variants = with_model(run, llm_model(lambda request: next(words))).rerun("0.1.1", n=4)
    assert sorted(map(str, variants.answers)) == ["Yes ", "no", "yes", "yes"]
    assert variants.agreement is not None
    assert (variants.agreement.same, variants.agreement.of) == (3, 4)
    assert len(variants) == len({each.id for each in variants.runs}) == 4


def test_samples_are_asked_at_the_same_time(run: Run) -> None:
    arrived: list[str] = []
    everybody = asyncio.Event()

    async def reply(request: Request) -> str:
        arrived.append(request.call_id)
        if len(arrived) == 3:
            everybody.set()
        await asyncio.wait_for(everybody.wait(), 10)  # none goes on before all are there
        return "told"

    assert with_model(run, llm_model(reply)).rerun("0.1.1", n=3).answers == ["told"] * 3


def test_a_sample_that_fails_is_one_without_an_answer(run: Run) -> None:
    replies = iter(["fine", ServerFailed("500", model="m", status=500)])
    variants = with_model(run, llm_model(lambda request: next(replies))).rerun("0.1.1", n=2)
    assert sorted(map(str, variants.answers)) == ["None", "fine"]
    (failed,) = [each for each in variants.runs if each.status == "failed"]
    assert failed.error.type == "ServerFailed"


def test_when_all_fail_the_error_is_raised(run: Run) -> None:
    def broken(request: Request) -> Any:
        raise ServerFailed("500", model="m", status=500)

    with pytest.raises(ServerFailed) as caught:
        with_model(run, llm_model(broken)).rerun("0.1.1", n=2)
    assert isinstance(caught.value.run, Run)


def test_a_call_that_failed_may_do_better_now() -> None:
    def broken(request: Request) -> Any:
        raise ServerFailed("500", model="m", status=500)

    run, _ = ask(code("r = llm_query_batched(['a'])"), submit("'went on'"), llm=broken)
    variants = with_model(run, llm_model(lambda request: "fine")).rerun("0.1.1")
    assert variants.answers == ["fine"]
    assert variants.original.error is not None
    assert variants.original.answer is None


def test_temperature_and_length_reach_the_request(run: Run) -> None:
    model = llm_model(lambda request: "told")
    variants = with_model(run, model).rerun("0.1.1", temperature=0.7, max_output_tokens=50)
    assert (model.requests[0].temperature, model.requests[0].max_output_tokens) == (0.7, 50)
    assert variants[0].origin.edit == {"temperature": 0.7, "max_output_tokens": 50}


def test_another_model_of_the_same_server_by_its_name() -> None:
    def llm(prompt: str) -> str | Answer:
        return error(400, "too long") if prompt == "long" else "told"

    with ChatServer(by_kind([code("r = llm_query('a')"), submit("r")], llm)) as server:
        rlm = RLM(model="big", sub_model="small", base_url=server.url, trace_dir=None)
        run = rlm.run("What?", context="x")
        variants = run.rerun("0.1.1", model="medium", n=2)
        assert [each.body["model"] for each in server.asked] == ["big", "small", "big", "medium", "medium"]
        assert variants[0].origin.edit == {"model": "medium"}
        assert run.rerun("0.1.1").answers == ["told"]
        assert server.asked[-1].body["model"] == "small"
        with pytest.raises(RequestRejected, match="too long"):
            run.rerun("0.1.1", prompt="long")


# A child


def test_a_child_has_its_own_context_restored(run: Run) -> None:
    model = scripted(submit("context + '!'"))
    variants = with_model(run, model).rerun("0.2.1")
    assert variants.answers == ["some textsome text!"]
    assert variants.original.answer == "18"
    assert model.requests[0].messages[1].content == run["0.2.1"].turns[0].messages[1].content
    assert variants[0].trace.started.context.hash == run["0.2.1"].context.hash


def test_a_child_of_a_child_is_as_deep_as_it_was() -> None:
    def child(request: Request) -> str:
        if request.call_id.count(".") == 2:
            return (
                code("r = rlm_query('deeper', context=context + 'e')") if request.turn == 1 else submit("r")
            )
        return submit("context + rlm_query('q', context='c')")

    run, _ = ask(code("r = rlm_query('deep', context='d')"), submit("r"), child=child, max_depth=3)
    assert run.answer == "de<q\n\nContext:\nc>"
    model = scripted(submit("context + rlm_query('q', context='c')"))
    variants = with_model(run, model).rerun("0.1.1.1.1")
    assert variants.answers == [run.answer]
    assert variants[0].trace.started.settings["max_depth"] == 1
    assert model.requests[0].hash == run["0.1.1.1.1"].turns[0].reply.request_hash


def test_a_child_that_has_the_context_of_its_parent() -> None:
    run, _ = ask(
        code("r = rlm_query('How long?', context=context)"),
        submit("r"),
        child=lambda request: submit("len(context)"),
    )
    variants = with_model(run, scripted(submit("context.upper()"))).rerun("0.1.1", n=2)
    assert variants.answers == ["SOME TEXT", "SOME TEXT"]


def test_a_child_that_was_given_only_a_prompt() -> None:
    run, _ = ask(code("r = rlm_query('count me')"), submit("r"), child=lambda request: submit("len(context)"))
    model = scripted(submit("context"))
    variants = with_model(run, model).rerun("0.1.1")
    assert variants.answers == ["count me"]
    assert model.requests[0].hash == run["0.1.1"].turns[0].reply.request_hash
    assert with_model(run, scripted(submit("context"))).rerun("0.1.1", prompt="me too").answers == ["me too"]


def test_a_child_with_another_question_and_another_model(run: Run) -> None:
    big = ScriptedModel(
        lambda request: submit("'big ' + llm_query('a')"), llm=lambda request: "never", name="big"
    )
    own = scripted(llm=lambda request: f"own {request.model}")
    variants = with_model(run, own).rerun("0.2.1", prompt="How wide?", model=big)
    assert variants.answers == ["big own scripted"]
    assert variants[0].origin.edit == {"prompt": "How wide?", "model": "big"}
    assert "Question:\nHow wide?" in big.requests[0].messages[1].content


def test_a_child_over_a_table() -> None:
    frame = pd.DataFrame({"n": [1, 2, 3]})
    run, _ = ask(
        code("r = rlm_query('Sum?', context=context[context.n > 1])"),
        submit("r"),
        child=lambda request: submit("context.n.sum()"),
        context=frame,
    )
    variants = with_model(run, scripted(submit("list(context.n)")), frame).rerun("0.1.1", n=2)
    assert variants.answers == ["[2, 3]", "[2, 3]"]


def test_the_root_is_a_call_too(run: Run) -> None:
    variants = with_model(run, scripted(submit("'at once'"))).rerun("0", prompt="And now?")
    assert (variants.answers, variants[0].query) == (["at once"], "And now?")


def test_a_child_whose_context_cannot_be_made_again(tmp_path: Path) -> None:
    run = childless_again(tmp_path)
    with pytest.raises(NotReached, match=r"did something else this time.* call 0.1.1"):
        run.rerun("0.1.1")


# Variants are runs


@pytest.mark.parametrize("at", ["0.1.1", "0.2.1", "0"])
def test_a_variant_is_replayed_forked_and_asked_again_as_any_run(run: Run, at: str) -> None:
    model = scripted(code("n = len(context)"), submit("n"), llm=lambda request: "told")
    first = with_model(run, model).rerun(at)[0]
    asked = len(model.requests)
    replay = first.replay()
    assert (replay.answer, replay["0"].kind, len(model.requests)) == (first.answer, first["0"].kind, asked)
    assert divergences(replay) == []
    assert replay.usage.requests == 0
    again = first.rerun("0")
    assert again.answers == [first.answer]
    assert again[0].origin.run == first.id
    forked = first.fork("0", prompt="Other?")
    assert (forked.query, forked["0"].kind) == ("Other?", first["0"].kind)
    assert replay.replay().answer == first.answer


def test_a_variant_of_a_child_with_only_a_prompt_is_replayed_too() -> None:
    run, _ = ask(code("r = rlm_query('count me')"), submit("r"), child=lambda request: submit("len(context)"))
    first = with_model(run, scripted(submit("context"), submit("context"))).rerun("0.1.1")[0]
    assert first.replay().answer == "count me"
    forked = first.fork("0", prompt="other")
    assert forked.answer == "other"


def test_a_variant_that_failed_is_resumed(run: Run) -> None:
    replies = iter([ServerFailed("500", model="m", status=500), "fine"])
    variants = with_model(run, llm_model(lambda request: next(replies))).rerun("0.1.1", wait=False)
    with pytest.raises(ServerFailed):
        variants.wait()
    assert variants[0].resume().answer == "fine"


def test_variants_stand_in_files_beside_the_run(tmp_path: Path) -> None:
    run, model = ask(code("r = llm_query('a')"), submit("r"), trace_dir=tmp_path)
    variants = run.rerun("0.1.1", n=2)
    assert all(each.path.parent == tmp_path for each in variants.runs)
    loaded = rlm_kernel.load(variants[0].path)
    assert (loaded.origin, loaded.answer) == (variants[0].origin, "<a>")
    assert loaded.replay().answer == "<a>"
    assert len(model.requests) == 5


def test_a_replayed_call_is_compared_with_what_it_first_took(run: Run) -> None:
    replay = run.replay()
    model = llm_model(lambda request: "new")
    variants = replay.answer_with(model).rerun("0.1.1")
    assert variants.original.usage.tokens == run["0.1.1"].usage.tokens > 0


# Mistakes


@pytest.mark.parametrize(
    ("at", "options", "kind", "message"),
    [
        ("0.1.3", {}, UnknownStep, "there are 0.1.2, 0.1.1"),
        ("0.1", {}, ConfigError, r"0.1 is a turn: rerun a call \(0\), or fork the turn"),
        ("0.1.1", {"n": 0}, ConfigError, "n takes a number of samples from 1 to 100, not 0"),
        ("0.1.1", {"n": 1000}, ConfigError, "from 1 to 100"),
        ("0.1.1", {"n": True}, ConfigError, "from 1 to 100"),
        ("0.1.1", {"prompt": "  "}, ConfigError, "prompt= is empty"),
        ("0.1.1", {"temperature": "hot"}, ConfigError, "temperature takes a number, not 'hot'"),
        ("0.1.1", {"max_output_tokens": -1}, ConfigError, "max_output_tokens must be more than 0"),
    ],
)
def test_what_cannot_be_asked_again_is_told_before_anything_is(
    at: str, options: dict[str, Any], kind: type[Exception], message: str, run: Run
) -> None:
    model = llm_model(lambda request: "told")
    with pytest.raises(kind, match=message):
        with_model(run, model).rerun(at, **options)
    assert model.requests == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say which files are open")
def test_a_mistake_leaves_no_file_open(run: Run) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(ConfigError):
            run.rerun("0.2.1", temperature="hot")  # type: ignore[arg-type]
    deadline = time.monotonic() + 10
    while len(list(Path("/proc/self/fd").iterdir())) > before:  # workers that are being ended hold some
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_context_that_is_nowhere_is_asked_for(tmp_path: Path, run: Run) -> None:
    loaded = rlm_kernel.load(run.save(tmp_path / "saved"))
    model = scripted(submit("len(context)"))
    with pytest.raises(ContextMissing):
        loaded.rerun("0.2.1", model=model)
    assert loaded.rerun("0.2.1", model=model, context="some text").answers == ["18"]
    with pytest.raises(ConfigError, match="model=…"):
        loaded.rerun("0.1.1")
    assert loaded.rerun("0.1.1", model=llm_model(lambda request: "needs none")).answers == ["needs none"]
