"""`ScriptedModel`: replies that were written down, for tests and documentation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rlm_kernel import RLM
from rlm_kernel.errors import BadReply, RateLimited
from rlm_kernel.models import Reply, Request, ScriptedModel
from rlm_kernel.trace import Message, Usage

FINISH = "```repl\nanswer['content'] = llm_query('the fruit?')\nanswer['ready'] = True\n```"


def request(text: str = "Hello?", **options: Any) -> Request:
    facts = {"model": "asked", "call_id": "0", "turn": 1, "kind": "rlm", **options}
    return Request(messages=(Message(role="user", content=text),), **facts)


def reply(model: ScriptedModel, asking: Request | None = None) -> Reply:
    return asyncio.run(model.reply(asking or request()))


def test_replies_come_in_their_order() -> None:
    model = ScriptedModel(["one", "two"])
    assert [reply(model).text, reply(model).text] == ["one", "two"]


def test_requests_are_kept() -> None:
    model = ScriptedModel(["one", "two"])
    asked = [request("first"), request("second")]
    for item in asked:
        reply(model, item)
    assert model.requests == asked


def test_a_text_is_answered_by_the_model_that_was_asked_and_its_usage_is_an_estimate() -> None:
    usage = Usage(requests=1, input_tokens=2, output_tokens=1, estimated=True)
    assert reply(ScriptedModel(["one"]), request("12345")) == Reply(text="one", model="asked", usage=usage)


def test_a_whole_reply_is_given_as_it_is() -> None:
    whole = Reply(text="one", model="other", finish_reason="length", reasoning="hm", retries=2)
    assert reply(ScriptedModel([whole])) is whole


def test_an_exception_in_the_script_is_raised() -> None:
    limited = RateLimited("429", model="m")
    with pytest.raises(RateLimited) as caught:
        reply(ScriptedModel([limited]))
    assert caught.value is limited


def test_a_script_at_its_end_says_who_asked_for_more() -> None:
    model = ScriptedModel(["one"])
    reply(model)
    with pytest.raises(BadReply, match=r"has 1 replies and call 0\.2\.1, turn 3, asks for one more"):
        reply(model, request(call_id="0.2.1", turn=3))


def test_a_function_sees_the_request() -> None:
    model = ScriptedModel(lambda asking: f"{asking.call_id} asked {asking.messages[-1].content}")
    assert reply(model).text == "0 asked Hello?"


def test_a_function_may_be_a_coroutine() -> None:
    async def later(asking: Request) -> str:
        await asyncio.sleep(0)
        return "later"

    assert reply(ScriptedModel(later)).text == "later"


def test_turns_and_plain_requests_may_have_scripts_of_their_own() -> None:
    model = ScriptedModel(["turn 1", "turn 2"], llm=["plain"])
    texts = [reply(model, request(kind=kind)).text for kind in ("rlm", "llm", "rlm")]
    assert texts == ["turn 1", "plain", "turn 2"]


def test_without_a_second_script_everything_comes_from_the_first() -> None:
    model = ScriptedModel(["a turn", "plain"])
    assert [reply(model, request(kind=kind)).text for kind in ("rlm", "llm")] == ["a turn", "plain"]


def test_a_whole_run_without_a_key_and_labelled_as_scripted() -> None:
    run = RLM(model=ScriptedModel([FINISH], llm=["an apple"]), trace_dir=None).run("Which?", context="...")
    assert run.answer == "an apple"
    assert "scripted replies, not a model's" in str(run)
