"""`OpenAIModel` against a real HTTP server: what is sent, what comes back, and every way it can go wrong."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import time
from collections.abc import Sequence
from typing import Any

import pytest
from server import Answer, ChatServer, by_kind, chat, error

from rlm_kernel import RLM
from rlm_kernel.errors import (
    BadReply,
    ConfigError,
    ContextTooLong,
    KeyRejected,
    ModelError,
    ModelNotFound,
    RateLimited,
    ReplyRefused,
    RequestRejected,
    RLMError,
    ServerFailed,
    ServerUnreachable,
    TimedOut,
)
from rlm_kernel.models import OpenAIModel, Reply, Request
from rlm_kernel.trace import Message, Usage

KEY = "sk-very-secret-0123456789"
AT_ONCE = {"retry-after-ms": "1"}
ASK_TWICE = "```repl\nanswers = llm_query_batched([f'piece {n}' for n in range(context)])\n```"
DONE = (
    "```repl\nanswer['content'] = f'{len(set(answers))} kinds of {len(answers)}'\nanswer['ready'] = True\n```"
)


def request(*said: str, **options: Any) -> Request:
    messages = tuple(Message(role="user", content=text) for text in said or ("Hello?",))
    return Request(messages=messages, model="asked", call_id="0", turn=1, kind="llm", **options)


def ask(server: ChatServer, asking: Request | None = None, **options: Any) -> Reply:
    """One request by a fresh model."""
    return using(OpenAIModel("asked", base_url=server.url, **options), asking or request())


def using(model: OpenAIModel, asking: Request) -> Reply:
    async def work() -> Reply:
        try:
            return await model.reply(asking)
        finally:
            await model.close()

    return asyncio.run(work())


def refused(kind: type[ModelError], script: Sequence[str | Answer], *, retries: int = 0) -> ModelError:
    """The error that a fresh model raises on that script."""
    with ChatServer(script) as server, pytest.raises(kind) as caught:
        ask(server, retries=retries, api_key=KEY)
    assert type(caught.value) is kind
    return caught.value


# What comes back


def test_an_ordinary_reply() -> None:
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 100},
        "cost": 0.0021,
    }
    body = chat(
        "Hello.",
        model="small-2026-01",
        finish_reason="length",
        usage=usage,
        message={"reasoning_content": "be polite"},
    )
    with ChatServer([Answer(body=body)]) as server:
        reply = ask(server)
    assert reply == Reply(
        text="Hello.",
        model="small-2026-01",
        usage=Usage(requests=1, input_tokens=120, output_tokens=30, cached_tokens=100, cost=0.0021),
        finish_reason="length",
        reasoning="be polite",
        retries=0,
    )


def test_an_unknown_cost_is_none_and_never_zero() -> None:
    with ChatServer(["Hello."]) as server:
        assert ask(server).usage == Usage(requests=1, input_tokens=12, output_tokens=3, cost=None)


@pytest.mark.parametrize("cost", ["0.1", True, -1, {}, None])
def test_a_cost_that_makes_no_sense_is_unknown(cost: object) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}
    with ChatServer([Answer(body=chat("Hello.", usage=usage))]) as server:
        assert ask(server).usage.cost is None


def test_a_reply_that_names_no_model_came_from_the_one_asked() -> None:
    with ChatServer([Answer(body=chat("Hello.", model=None))]) as server:
        assert ask(server).model == "asked"


def test_text_of_any_script_arrives_as_it_was_sent() -> None:
    text = "Ωμέγα 🙂 \u2028 end"
    with ChatServer([Answer(body=chat(text))]) as server:
        assert ask(server, request(text)).text == text
        assert server.asked[0].body["messages"][0]["content"] == text


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": 5},
        {"prompt_tokens": -1, "completion_tokens": 3},
        {"prompt_tokens": "12", "completion_tokens": "3"},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": 10**15, "completion_tokens": 3},
        {"prompt_tokens": 1.5, "completion_tokens": 3},
    ],
    ids=str,
)
def test_a_usage_that_makes_no_sense_is_estimated_and_marked(usage: object) -> None:
    with ChatServer([Answer(body=chat("x" * 40, usage=usage))]) as server:
        reply = ask(server, request("y" * 80))
    assert reply.usage == Usage(requests=1, input_tokens=20, output_tokens=10, estimated=True)


@pytest.mark.parametrize("cached", [None, -1, "5", {}], ids=str)
def test_cached_tokens_that_make_no_sense_count_as_none(cached: object) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    with ChatServer([Answer(body=chat("Hello.", usage=usage))]) as server:
        assert ask(server).usage == Usage(requests=1, input_tokens=9, output_tokens=1)


def test_the_server_says_which_models_it_has() -> None:
    async def names(model: OpenAIModel) -> list[str]:
        try:
            return await model.models()
        finally:
            await model.close()

    with ChatServer([], models=["small", "big"]) as server:
        assert asyncio.run(names(OpenAIModel("any", base_url=server.url))) == ["big", "small"]


# What is sent


def test_the_request_holds_the_messages_and_nothing_that_was_not_set() -> None:
    with ChatServer(["Hello."]) as server:
        ask(server, request("one", "two"), api_key=KEY)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "asked",
        "messages": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
    }


def test_what_was_set_is_sent() -> None:
    with ChatServer(["Hello."]) as server:
        ask(server, request(temperature=0.0, max_output_tokens=50))
    assert server.asked[0].body["temperature"] == 0.0
    assert server.asked[0].body["max_completion_tokens"] == 50


def test_a_local_server_needs_no_key() -> None:
    with ChatServer(["Hello."]) as server:
        assert ask(server).text == "Hello."


def test_key_and_server_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(["Hello."]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert using(OpenAIModel("asked"), request()).text == "Hello."
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_openai_api_without_a_key_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="no API key: set OPENAI_API_KEY") as caught:
        OpenAIModel("asked")
    assert caught.value.setting == "api_key"


# Errors that another try does not mend: asked once


@pytest.mark.parametrize(
    ("status", "kind", "next_move"),
    [
        (401, KeyRejected, "Set OPENAI_API_KEY to a valid key"),
        (403, KeyRejected, "Set OPENAI_API_KEY to a valid key"),
        (404, ModelNotFound, "%rlm models lists what it has"),
        (400, RequestRejected, "too long"),
        (413, ContextTooLong, "Ask with less text at a time"),
    ],
)
def test_an_error_of_the_request_is_typed_and_not_tried_again(
    status: int, kind: type[ModelError], next_move: str
) -> None:
    with ChatServer([error(status, "too long")]) as server, pytest.raises(kind) as caught:
        ask(server)
    assert (caught.value.model, caught.value.status, caught.value.retries) == ("asked", status, 0)
    assert next_move in str(caught.value)
    assert "too long" in str(caught.value)
    assert server.origin in str(caught.value)
    assert len(server.asked) == 1


def test_an_error_without_a_json_body_is_typed_too() -> None:
    caught = refused(KeyRejected, [Answer(status=401, body=b"<html>go away</html>")])
    assert "go away" in str(caught)


def test_a_very_long_error_text_is_cut() -> None:
    assert len(str(refused(RequestRejected, [error(400, "word " * 10_000)]))) < 500


# Errors that another try may mend


def test_a_429_is_tried_again_when_the_server_said() -> None:
    with ChatServer([error(429, "slow down", {"Retry-After": "0.3"}), "Hello."]) as server:
        started = time.monotonic()
        reply = ask(server)
    assert (reply.text, reply.retries) == ("Hello.", 1)
    assert time.monotonic() - started >= 0.3


def test_429_for_ever_is_rate_limited() -> None:
    caught = refused(RateLimited, [error(429, "slow down", AT_ONCE)] * 3, retries=2)
    assert (caught.status, caught.retries) == (429, 2)
    assert "(tried 3 times): slow down. Wait, or lower --concurrency." in str(caught)


def test_two_500s_are_survived_and_counted() -> None:
    with ChatServer([error(500, "oops", AT_ONCE), error(503, "busy", AT_ONCE), "Hello."]) as server:
        assert ask(server).retries == 2


def test_5xx_for_ever_is_a_failed_server() -> None:
    caught = refused(ServerFailed, [error(502, "bad gateway", AT_ONCE)] * 2, retries=1)
    assert (caught.status, caught.retries) == (502, 1)
    assert "(tried 2 times): bad gateway." in str(caught)


def test_a_connection_cut_in_the_middle_of_a_reply_is_tried_again() -> None:
    with ChatServer([Answer(body=chat("Hello."), cut=40), "Hello again."]) as server:
        reply = ask(server)
    assert (reply.text, reply.retries) == ("Hello again.", 1)


def test_a_connection_cut_every_time_is_unreachable() -> None:
    caught = refused(ServerUnreachable, [Answer(body=chat("Hello."), cut=0)] * 2, retries=1)
    assert caught.retries == 1


def test_a_server_that_is_down_is_unreachable() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerUnreachable) as caught:
            using(OpenAIModel("asked", base_url=f"{origin}/v1", retries=1), request())
    assert str(caught.value) == f"no connection to {origin} (tried 2 times). Is the server running?"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(silent=True), TimedOut),
        (Answer(body=chat("Hello."), drip=0.05), TimedOut),
        (error(429, "wait", {"Retry-After": "60"}), RateLimited),
        (error(503, "wait", {"Retry-After": "60"}), ServerFailed),
    ],
    ids=["silent", "dripping", "limits for long", "is busy for long"],
)
def test_the_deadline_covers_the_whole_request(answer: Answer, kind: type[ModelError]) -> None:
    started = time.monotonic()
    with ChatServer([answer]) as server, pytest.raises(kind, match=r"within 0\.4 s") as caught:
        ask(server, request(seconds=0.4))
    assert time.monotonic() - started < 1.5
    assert type(caught.value) is kind
    assert "--request-seconds" in str(caught.value)


def test_a_slow_reply_before_the_deadline_is_a_reply() -> None:
    with ChatServer([Answer(body=chat("Hello."), delay=0.3)]) as server:
        assert ask(server, request(seconds=5)).text == "Hello."


# Replies that are no replies: asked for once more

USELESS = {
    "malformed JSON": b'{"choices": [{"mess',
    "an HTML page": b"<!doctype html><html><body>Welcome</body></html>",
    "nothing": b"",
    "no choices": chat("x", choices=[]),
    "choices of the wrong kind": chat("x", choices="none"),
    "a list": b"[1, 2]",
    "null": b"null",
    "no text": chat(None),
    "white space": chat(" \n\t"),
    "text of the wrong kind": chat({"text": "x"}),
    "a refusal": chat(None, message={"refusal": "I will not."}),
    "a deep nest": b"[" * 100_000,
}


@pytest.mark.parametrize("body", USELESS.values(), ids=USELESS)
def test_a_useless_reply_is_asked_for_once_more(body: bytes) -> None:
    with ChatServer([Answer(body=body), "Hello."]) as server:
        reply = ask(server)
    assert (reply.text, reply.retries) == ("Hello.", 1)
    assert reply.usage.requests == 2
    assert len(server.asked) == 2


@pytest.mark.parametrize("body", USELESS.values(), ids=USELESS)
def test_a_second_useless_reply_is_an_error(body: bytes) -> None:
    with ChatServer([Answer(body=body)] * 2) as server, pytest.raises(BadReply) as caught:
        ask(server)
    assert caught.value.retries == 1
    assert len(server.asked) == 2


def test_what_a_useless_reply_cost_is_counted() -> None:
    with ChatServer([Answer(body=chat("")), "Hello."]) as server:
        assert ask(server).usage == Usage(requests=2, input_tokens=24, output_tokens=6)


def test_an_error_says_what_came_instead_of_a_reply() -> None:
    assert "is not a chat completion: '<!doctype html>" in str(
        refused(BadReply, [Answer(body=USELESS["an HTML page"])] * 2)
    )
    assert "empty reply: I will not." in str(refused(ReplyRefused, [Answer(body=USELESS["a refusal"])] * 2))
    cut_off = Answer(body=chat("", finish_reason="length"))
    assert "empty reply (finish reason length)" in str(refused(BadReply, [cut_off] * 2))


# Secrets


def test_a_redirect_is_refused_and_its_target_sees_nothing() -> None:
    with ChatServer(["stolen"]) as other:
        away = Answer(status=307, headers={"Location": f"{other.url}/chat/completions"})
        with ChatServer([away]) as server, pytest.raises(ModelError) as caught:
            ask(server, api_key=KEY, retries=0)
    assert other.asked == []
    assert caught.value.status == 307


@pytest.mark.parametrize("address", ["127.0.0.1:9/hidden/v1", "127.0.0.1:9/v1/hidden/"])
def test_of_the_base_url_only_the_origin_is_shown(address: str) -> None:
    model = OpenAIModel("asked", base_url=f"http://{address}", retries=0)
    with pytest.raises(ServerUnreachable) as caught:
        using(model, request())
    assert model.origin == "http://127.0.0.1:9"
    assert "hidden" not in repr(model) + str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://user:hidden@localhost:9/v1",
        "http://localhost:9/v1?key=hidden",
        "http://localhost:9/v1#hidden",
        "localhost:8000/v1",
        "small",
        "ftp://x",
    ],
)
def test_a_base_url_that_cannot_work_is_refused_as_a_setting(base_url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAIModel("asked", base_url=base_url)
    assert caught.value.setting == "base_url"
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=chat("Hello.")),
        error(401, "Incorrect API key provided: sk-very****6789"),
        error(401, f"Incorrect API key provided: {KEY}"),
        error(500, "oops", AT_ONCE),
        Answer(body=b"<html>"),
    ],
    ids=["fine", "401", "401 that repeats the key", "500", "no reply"],
)
def test_the_key_is_shown_nowhere(
    answer: Answer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    said = []
    with ChatServer(lambda body: answer) as server, caplog.at_level(logging.DEBUG):
        model = OpenAIModel("asked", base_url=server.url, api_key=KEY, retries=1)
        said.append(repr(model))
        try:
            said.append(repr(using(model, request())))
        except ModelError as caught:
            said += [str(caught), repr(caught), repr(vars(caught))]
    said += [record.getMessage() + repr(record.__dict__) for record in caplog.records]
    said += capfd.readouterr()
    assert KEY not in "\n".join(said)


def test_the_key_is_in_no_trace(tmp_path: Any) -> None:
    rlm = None
    with ChatServer(by_kind([ASK_TWICE, DONE], error(401, f"wrong key {KEY}"))) as server:
        rlm = RLM(model="m", base_url=server.url, api_key=KEY, trace_dir=tmp_path, max_turns=2)
        try:
            run = rlm.run("How many?", context=3)
        except RLMError as caught:
            run = caught.run
    assert run.path is not None
    assert "0.1.3" in run.path.read_text()
    assert KEY not in run.path.read_text()
    assert KEY not in json.dumps(run._repr_mimebundle_()) + repr(run) + str(run) + repr(rlm)


# One client, many requests


def test_several_runs_and_batches_share_one_client(tmp_path: Any) -> None:
    """The reference's client dies after its first batch: "Event loop is closed"."""
    twice = [ASK_TWICE, ASK_TWICE, DONE]
    with ChatServer(by_kind(twice, lambda prompt: f"about {prompt}")) as server:
        rlm = RLM(model="m", base_url=server.url, trace_dir=None)
        answers = [rlm.run("How many?", context=4).answer for _ in range(3)]
        assert answers == ["4 kinds of 4"] * 3
    assert len(server.asked) == 3 * (3 + 2 * 4)


def test_models_that_nobody_closes_leave_no_connection_each(
    caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """Each cell makes a model of its own; aiohttp complains in the notebook about a session left open."""
    with ChatServer(by_kind([ASK_TWICE, DONE], "x")) as server:
        for _ in range(5):
            RLM(model="m", base_url=server.url, trace_dir=None).run("How many?", context=2)
        gc.collect()
        assert len(server.asked) == 20
        assert server.connections <= 3
    assert "Unclosed" not in caplog.text
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]


def test_a_closed_model_has_closed_its_connections() -> None:
    with ChatServer(["Hello."]) as server:
        ask(server)
        deadline = time.monotonic() + 2
        while server.sockets and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not server.sockets


def test_a_closed_client_opens_again() -> None:
    with ChatServer(["one", "two"]) as server:
        model = OpenAIModel("asked", base_url=server.url)
        assert [using(model, request()).text, using(model, request()).text] == ["one", "two"]


def test_two_hundred_requests_share_as_many_connections_as_may_be_under_way() -> None:
    def slow(prompt: str) -> Answer:
        return Answer(body=chat(prompt), delay=0.01)

    with ChatServer(by_kind([ASK_TWICE, DONE], slow)) as server:
        run = RLM(model="m", base_url=server.url, trace_dir=None, concurrency=16).run("Go", context=200)
        assert run.answer == "200 kinds of 200"
    assert len(server.asked) == 202
    assert server.connections <= 16


def test_many_requests_at_once_each_get_their_own_reply() -> None:
    async def all_of(model: OpenAIModel) -> list[str]:
        try:
            replies = await asyncio.gather(*(model.reply(request(f"number {n}")) for n in range(100)))
        finally:
            await model.close()
        return [reply.text for reply in replies]

    with ChatServer(lambda body: body["messages"][0]["content"].upper()) as server:
        texts = asyncio.run(all_of(OpenAIModel("asked", base_url=server.url)))
    assert texts == [f"NUMBER {n}" for n in range(100)]
