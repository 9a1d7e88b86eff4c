"""Faults of the network and of servers, over real connections: each ends soon, in an error that says what to do."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import socket
import time
import zlib
from typing import TypeVar

import pytest
from server import Answer, ChatServer, chat, error

from rlm_kernel.errors import (
    BadReply,
    ContextTooLong,
    ModelError,
    QuotaExhausted,
    RateLimited,
    Redirected,
    ReplyRefused,
    ReplyTooLarge,
    ServerUnreachable,
    TimedOut,
)
from rlm_kernel.models import OpenAIModel, Reply, Request
from rlm_kernel.models.transport import MOST_BYTES  # loaded here, so that no deadline pays for it
from rlm_kernel.trace import Message

KEY = "sk-very-secret-0123456789"
E = TypeVar("E", bound=ModelError)
AT_ONCE = {"retry-after-ms": "1"}
MB = 1_000_000


def ask(server: ChatServer, *, retries: int = 3, seconds: float = 10, prompt: str = "Hello?") -> Reply:
    async def work() -> Reply:
        model = OpenAIModel("asked", base_url=server.url, api_key=KEY, retries=retries)
        try:
            messages = (Message(role="user", content=prompt),)
            return await model.reply(
                Request(messages=messages, model="asked", call_id="0", turn=1, kind="llm", seconds=seconds)
            )
        finally:
            await model.close()

    return asyncio.run(work())


def refused(kind: type[E], *script: str | Answer, retries: int = 0, seconds: float = 10) -> E:
    """The error on that script, all of which was asked for."""
    with ChatServer(script) as server, pytest.raises(kind) as caught:
        ask(server, retries=retries, seconds=seconds)
    assert type(caught.value) is kind
    assert len(server.asked) == len(script)
    return caught.value


# F59, F60: a server that is slow without end


@pytest.mark.parametrize(
    "answer",
    [
        Answer(silent=True),
        Answer(body=chat("Hello."), drip=1.5),
        Answer(body=chat("Hello."), cut=9, how="half"),
    ],
    ids=["silent", "a byte in 1.5 s", "says no more and keeps the line"],
)
def test_f59_f60_the_deadline_is_for_the_whole_request(answer: Answer) -> None:
    started = time.monotonic()
    with ChatServer(lambda body: answer) as server, pytest.raises(ServerUnreachable) as caught:
        ask(server, seconds=0.5)
    assert time.monotonic() - started < 3
    assert caught.value.sent


def test_a_server_that_does_not_say_which_models_it_has_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rlm_kernel.models.openai.LIST_SECONDS", 0.3)

    async def names(port: int) -> list[str]:
        model = OpenAIModel("m", base_url=f"http://127.0.0.1:{port}/v1", retries=0)
        try:
            return await model.models()
        finally:
            await model.close()

    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(TimedOut, match=r"within 0\.3 s"):
        asyncio.run(names(deaf.getsockname()[1]))


@pytest.mark.parametrize("body", [b"[]", b"null", b"<html>", b'{"data": 3}', b'{"data": [3]}'])
def test_a_list_of_models_that_is_none_is_an_error(body: bytes) -> None:
    async def names(server: ChatServer) -> list[str]:
        model = OpenAIModel("m", base_url=server.url, retries=0)
        try:
            return await model.models()
        finally:
            await model.close()

    with ChatServer([], listed=body) as server, pytest.raises(BadReply, match="no list of models"):
        asyncio.run(names(server))


# F57: connections that break, and bodies that are none


@pytest.mark.parametrize("how", ["closed", "reset", "half"])
def test_f57_a_reply_that_breaks_off_is_asked_for_again(how: str) -> None:
    broken = Answer(body=chat("Hello."), cut=40, how=how)
    with ChatServer([broken, "Hello again."]) as server:
        reply = ask(server)
    assert (reply.text, reply.retries) == ("Hello again.", 1)
    assert refused(ServerUnreachable, broken, broken, retries=1).sent


def test_a_request_that_never_left_is_said_not_to_have_been_sent() -> None:
    with ChatServer([]) as server:
        server.go_down()
        with pytest.raises(ServerUnreachable) as caught:
            ask(server, retries=0)
        server.come_back()
    assert not caught.value.sent


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"<html>Welcome</html>"),
        Answer(body=chat("Hello.")[:60]),
        Answer(body=gzip.compress(chat("Hello."))[:-20], headers={"Content-Encoding": "gzip"}),
        Answer(body=b"not packed", headers={"Content-Encoding": "gzip"}),
        Answer(body=chat("Hello."), headers={"Content-Encoding": "zstd"}),
        Answer(raw=b"SSH-2.0-OpenSSH_9.9\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 10_000 + b"\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
    ],
    ids=[
        "a page",
        "half of it",
        "packed and cut",
        "not packed",
        "packed in another way",
        "not HTTP",
        "a very long header",
        "very many headers",
        "a wrong header",
    ],
)
def test_f57_a_body_that_is_no_reply_is_asked_for_once_more(answer: Answer) -> None:
    with ChatServer([answer, "Hello."]) as server:
        reply = ask(server, retries=0)
    assert (reply.text, reply.retries, reply.usage.requests) == ("Hello.", 1, 2)
    assert refused(BadReply, answer, answer).retries == 1


def test_a_packed_reply_is_unpacked() -> None:
    packed = [
        Answer(body=gzip.compress(chat("one")), headers={"Content-Encoding": "gzip"}),
        Answer(body=zlib.compress(chat("two")), headers={"Content-Encoding": "deflate"}),
    ]
    with ChatServer(packed) as server:
        assert [ask(server).text, ask(server).text] == ["one", "two"]
        assert server.asked[0].headers["accept-encoding"] == "gzip"


# F61: more bytes than make sense


def test_f61_a_reply_of_200_mb_is_cut_off() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    huge = Answer(body=b"x" * MB, times=200)
    failed = refused(ReplyTooLarge, huge, retries=3)
    assert f"more than {MOST_BYTES // MB} MB" in str(failed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KB


def test_f61_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 200 * MB, compresslevel=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    assert "more than 32 MB" in str(
        refused(ReplyTooLarge, Answer(body=bomb, headers={"Content-Encoding": "gzip"}), retries=3)
    )
    assert time.monotonic() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def test_a_large_error_page_is_cut_off_too() -> None:
    refused(ReplyTooLarge, Answer(status=500, body=b"x" * MB, times=50), retries=3)


# F62: redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_f62_no_redirect_is_followed(status: int) -> None:
    with ChatServer(["stolen"]) as other:
        away = Answer(status=status, headers={"Location": f"{other.url}/chat/completions?secret=1"})
        failed = refused(Redirected, away)
        assert f"sends the request on to {other.origin} ({status}), and it was not sent there" in str(failed)
        assert "--base-url" in str(failed)
        assert "secret" not in str(failed)
    assert other.asked == []


@pytest.mark.parametrize("location", ["/v2/chat", "", "http://[", "//x"])
def test_f62_a_redirect_to_anything_is_an_error(location: str) -> None:
    refused(Redirected, Answer(status=307, headers={"Location": location} if location else {}))


# F54 to F56: what a server refuses


def test_f54_the_wait_that_a_server_asks_for_is_kept() -> None:
    with ChatServer([error(429, "slow down", {"Retry-After": "0.3"}), "Hello."]) as server:
        started = time.monotonic()
        assert ask(server).retries == 1
    assert time.monotonic() - started >= 0.3


def test_f54_an_error_says_how_long_the_server_wants_to_be_left_alone() -> None:
    assert refused(RateLimited, error(429, "slow down", {"Retry-After": "7"})).retry_after == 7
    assert refused(RateLimited, error(429, "slow down", {"Retry-After": "nan"})).retry_after is None


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, {"message": "You exceeded your current quota.", "code": "insufficient_quota"}),
        (429, {"message": "You exceeded your current quota.", "type": "insufficient_quota"}),
        (402, {"message": "Insufficient Balance"}),
    ],
)
def test_f55_an_empty_account_is_asked_once(status: int, said: dict[str, str]) -> None:
    failed = refused(
        QuotaExhausted, Answer(status=status, body=json.dumps({"error": said}).encode()), retries=3
    )
    assert failed.status == status
    assert "Top it up" in str(failed)


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        (
            {
                "message": "This model's maximum context length is 8192 tokens. However, your messages resulted "
                "in 10000 tokens.",
                "code": "context_length_exceeded",
            },
            8192,
        ),
        ({"message": "the request exceeds the available context size", "n_ctx": 4096}, 4096),
        ({"message": "prompt is too long: 210000 tokens > 200000 maximum"}, 200_000),
        (
            {
                "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
            },
            1_048_576,
        ),
        ({"message": "too much", "code": "context_length_exceeded"}, None),
    ],
    ids=["OpenAI", "llama.cpp", "Anthropic", "Gemini", "no limit told"],
)
def test_f56_a_prompt_that_is_too_long_says_what_the_model_takes(
    said: dict[str, object], limit: int | None
) -> None:
    failed = refused(ContextTooLong, Answer(status=400, body=json.dumps({"error": said}).encode()))
    assert failed.limit == limit
    assert ("at most" in str(failed)) == (limit is not None)
    assert limit is None or f"at most {limit:,} tokens" in str(failed)


def test_f56_a_prompt_that_is_more_than_a_minute_may_have_is_not_sent_again() -> None:
    said = "Request too large for m on tokens per min (TPM): Limit 30000, Requested 44000."
    failed = refused(ContextTooLong, error(429, said), retries=3)
    assert failed.limit == 30_000


# F53: replies without an answer


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (chat(None, message={"refusal": "I will not."}), "I will not."),
        (chat(None, finish_reason="content_filter"), "a content filter held it back"),
    ],
)
def test_f53_a_refusal_is_asked_once_more_and_then_an_error_of_its_own(body: bytes, said: str) -> None:
    with ChatServer([Answer(body=body), "Fine."]) as server:
        assert ask(server).text == "Fine."
    failed = refused(ReplyRefused, Answer(body=body), Answer(body=body))
    assert said in str(failed)


# F87: what a server says is shown without keys


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "sk-proj-abcdefghijklmnopqrstuvwxyz012345",
        "AKIAABCDEFGHIJKLMNOP",
        "ghp_" + "a1B2" * 9,
        "hf_" + "a1B2" * 9,
        "Bearer abcdefghijklmnop0123456789",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----",
    ],
    ids=lambda secret: secret[:8],
)
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_f87_no_error_shows_a_key(secret: str, status: int) -> None:
    said = f"{'x ' * 30}you sent {secret}, {'y ' * 300}"
    answer = Answer(status=status, body=json.dumps({"error": {"message": said}}).encode(), headers=AT_ONCE)
    with ChatServer(lambda body: answer) as server, pytest.raises(ModelError) as caught:
        ask(server, retries=0)
    failed = caught.value
    told = secret.removeprefix("Bearer ").splitlines()[-1 if "\n" not in secret else 1]
    assert told not in str(failed) + repr(failed) + repr(vars(failed))
    assert len(str(failed)) < 600


def test_f87_an_error_carries_no_request() -> None:
    failed: BaseException | None = refused(RateLimited, error(429, "slow down"))
    while failed is not None:
        assert type(failed).__module__ == "rlm_kernel.errors"
        failed = failed.__cause__ or failed.__context__
