"""Faults 53 to 62: what a model's server can do to a run, over real connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from scripts import code, submit
from server import Answer, ChatServer, Script, by_kind, chat, error

from rlm_kernel import RLM, OpenAIModel, Run, Settings
from rlm_kernel.engine import outage
from rlm_kernel.errors import (
    BadReply,
    ContextTooLong,
    KeyRejected,
    ModelError,
    QuotaExhausted,
    Redirected,
    ReplyRefused,
    ReplyTooLarge,
    ServerFailed,
    TimedOut,
)
from rlm_kernel.models.transport import MOST_BYTES
from rlm_kernel.trace import RunPaused

AT_ONCE = {"retry-after-ms": "1"}
KEY = "sk-fault-0123456789abcdef"
DONE = submit("'done'")


def asked(server: ChatServer, *, retries: int = 1, **options: Any) -> Run:
    """A run that this server answers."""
    model = OpenAIModel("m", base_url=server.url, api_key=KEY, retries=retries)
    return RLM(model=model, **{"trace_dir": None, **options}).run("What?", context="text")


def failed(kind: type[ModelError], script: Script, **options: Any) -> tuple[Run, ModelError, int]:
    """The run that such a server ends in that kind of error, the error, and how often it was asked."""
    with ChatServer(script) as server, pytest.raises(kind) as caught:
        asked(server, **options)
    assert type(caught.value) is kind
    run: Any = caught.value.run
    assert run.status == "failed"
    assert run.trace.tree.end.error.type == kind.__name__
    return run, caught.value, len(server.asked)


def goes_on(run: Run, turns: Script) -> Run:
    """The run resumed, at a server that is well."""
    with ChatServer(turns) as server:
        return run.resume(model=OpenAIModel("m", base_url=server.url))


NO_TEXT = {
    "empty": (chat(""), BadReply, "empty reply"),
    "None": (chat(None), BadReply, "empty reply"),
    "a refusal": (chat(None, message={"refusal": "I will not."}), ReplyRefused, "I will not"),
    "a content filter": (chat(None, finish_reason="content_filter"), ReplyRefused, "content filter"),
}


@pytest.mark.parametrize(("body", "kind", "says"), NO_TEXT.values(), ids=NO_TEXT)
def test_f53_a_reply_without_text_is_asked_for_once_more_and_then_an_error(
    body: bytes, kind: type[ModelError], says: str
) -> None:
    """A reply that is empty, a refusal, or filtered."""
    with ChatServer([Answer(body=body), DONE]) as server:
        run = asked(server)
        assert (run.answer, len(server.asked)) == ("done", 2)
    run, caught, requests = failed(kind, [Answer(body=body)] * 3)
    assert requests == 2
    assert says in str(caught)
    assert goes_on(run, [DONE]).answer == "done"


def test_f54_a_server_that_limits_or_fails_is_tried_again_when_it_says() -> None:
    """Too many requests (429), a server that fails (500)."""
    flaky = [error(429, "slow down", {"Retry-After": "0.3"}), error(500, "oops", AT_ONCE), DONE]
    with ChatServer(flaky) as server:
        started = time.monotonic()
        run = asked(server, retries=3)
        assert time.monotonic() - started >= 0.3
    reply = run["0"].turns[0].reply
    assert run.answer == "done"
    assert reply is not None and reply.retries == 2


def test_f54_tries_are_counted_and_end() -> None:
    """A server that fails again and again."""
    run, caught, requests = failed(
        ServerFailed, lambda body: error(500, "oops", AT_ONCE), retries=2, pause_seconds=0
    )
    assert requests == 3
    assert "(tried 3 times)" in str(caught)
    assert goes_on(run, [DONE]).answer == "done"


def test_f54_a_sub_call_that_fails_is_an_error_in_the_code_and_no_text() -> None:
    """A sub-call whose server fails."""
    asks = code(
        "try: kept = llm_query('a')",
        "except SubcallError as error: kept = 'caught ' + str(error)",
        "got = llm_query_batched(['b'])",
        "kind = type(got[0]).__name__",
    )
    with ChatServer(by_kind([asks, submit("kind + ' ' + kept")], error(500, "oops", AT_ONCE))) as server:
        run = asked(server, pause_seconds=0, retries=0)
    assert run.answer is not None
    assert run.answer.startswith("SubcallError caught ServerFailed: ")
    assert [run[at].error.type for at in ("0.1.1", "0.1.2")] == ["ServerFailed"] * 2  # type: ignore[union-attr]


def test_f54_a_run_whose_server_is_out_waits_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes out in the middle of a run, and comes back."""
    monkeypatch.setattr(outage, "FIRST_SECONDS", 0.05)
    out = threading.Event()

    def llm(prompt: str) -> str | Answer:
        if int(prompt) == 3 and not out.is_set():
            out.set()
            return error(503, "busy", AT_ONCE)
        return f"<{prompt}>"

    block = code("got = [llm_query(str(n)) for n in range(6)]")
    with ChatServer(by_kind([block, submit("''.join(got)")], llm)) as server:
        run = asked(server, retries=0)
    assert run.answer == "".join(f"<{n}>" for n in range(6))
    assert [event.error.type for event in run.trace.events if isinstance(event, RunPaused)] == [
        "ServerFailed"
    ]
    assert len(server.asked) == 2 + 6 + 1


def test_f55_an_empty_account_is_not_asked_again_and_what_was_paid_is_kept() -> None:
    """An account with nothing left (`insufficient_quota`)."""
    body = json.dumps({"error": {"message": "Top up.", "code": "insufficient_quota"}}).encode()

    def llm(prompt: str) -> str | Answer:
        return Answer(status=429, body=body) if prompt == "second" else f"<{prompt}>"

    turns = [code("a = llm_query('first')", "b = llm_query('second')"), submit("a + b")]
    run, caught, requests = failed(QuotaExhausted, by_kind(turns, llm), retries=5)
    assert requests == 3
    assert "nothing left to pay with" in str(caught)
    again = goes_on(run, by_kind(turns, lambda prompt: f"<{prompt}>"))
    assert (again.answer, again.usage.requests) == ("<first><second>", 2)


def test_f56_a_rejected_key_stops_the_run_at_once() -> None:
    """A key that is not taken (401)."""
    run, caught, requests = failed(KeyRejected, [error(401, f"bad key {KEY}")] * 3, retries=3)
    assert requests == 1
    assert "Set OPENAI_API_KEY to a valid key" in str(caught)
    assert KEY not in str(caught)
    assert goes_on(run, [DONE]).answer == "done"


def test_f56_a_prompt_that_is_too_long_is_told_to_the_model_with_the_limit() -> None:
    """A prompt that is longer than the model's window (400)."""
    said = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
    body = json.dumps({"error": {"message": said, "code": "context_length_exceeded"}}).encode()
    asks = code("llm_query('word ' * 9000)")
    with ChatServer(by_kind([asks, DONE], Answer(status=400, body=body))) as server:
        assert asked(server, retries=3).answer == "done"
        told = server.asked[2].body["messages"][-1]["content"]
        assert len(server.asked) == 3
    assert "ContextTooLong" in told and "8,192 tokens" in told and "less text at a time" in told
    run, caught, requests = failed(ContextTooLong, [Answer(status=400, body=body)] * 2)
    assert requests == 1
    assert getattr(caught, "limit", None) == 8192
    assert goes_on(run, [DONE]).answer == "done"


MALFORMED = {
    "broken JSON": Answer(body=b'{"choices": [{"mess'),
    "an HTML page": Answer(body=b"<!doctype html><html><body>Welcome</body></html>"),
    "nothing": Answer(body=b""),
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_f57_what_is_no_completion_is_asked_for_once_more_and_then_an_error(answer: Answer) -> None:
    """A reply that is broken, or a web page."""
    with ChatServer([answer, DONE]) as server:
        assert asked(server).answer == "done"
    run, caught, requests = failed(BadReply, [answer] * 3)
    assert requests == 2
    assert "is not a chat completion" in str(caught)
    assert goes_on(run, [DONE]).answer == "done"


def test_f57_a_reply_that_is_cut_off_is_asked_for_again() -> None:
    """A connection that ends in the middle of a reply."""
    with ChatServer([Answer(body=chat(DONE), cut=40), DONE]) as server:
        assert asked(server, retries=1).answer == "done"
        assert len(server.asked) == 2


NO_CHOICE = {"no choices": chat("x", choices=[]), "null for choices": chat("x", choices=None)}


@pytest.mark.parametrize("body", NO_CHOICE.values(), ids=NO_CHOICE)
def test_f58_a_reply_without_a_choice_is_asked_for_once_more(body: bytes) -> None:
    """A completion without choices."""
    with ChatServer([Answer(body=body), DONE]) as server:
        run = asked(server)
        assert (run.answer, len(server.asked)) == ("done", 2)
    # What the useless one was billed for is counted.
    assert run.usage.input_tokens == 24


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -7, "completion_tokens": 3},
        {"prompt_tokens": 10**15, "completion_tokens": 1},
    ],
    ids=["missing", "empty", "negative", "absurd"],
)
def test_f58_a_paid_reply_is_used_whatever_its_usage_says(usage: object) -> None:
    """A usage that is missing, negative or absurd."""
    with ChatServer([Answer(body=chat(DONE, usage=usage))]) as server:
        run = asked(server)
    assert run.answer == "done"
    assert run.usage.estimated
    assert run.usage.requests == 1
    assert 0 < run.usage.input_tokens < 10_000
    assert 0 < run.usage.output_tokens < 100


@pytest.mark.parametrize(
    "answer", [Answer(silent=True), Answer(body=chat(DONE), drip=0.2)], ids=["silent", "a drip"]
)
def test_f59_a_request_ends_by_its_deadline(answer: Answer) -> None:
    """A server that takes the request and never answers."""
    started = time.monotonic()
    _, caught, requests = failed(TimedOut, [answer] * 3, request_seconds=0.5, pause_seconds=0)
    assert 0.5 <= time.monotonic() - started < 3
    assert requests == 1
    assert "within 0.5 s" in str(caught)
    assert Settings().request_seconds == 120


def test_f60_every_byte_of_a_drip_does_not_begin_the_time_anew() -> None:
    """A server that sends a byte now and then."""
    asks = code("try: llm_query('a')", "except SubcallError as error: print(error)")
    drip = Answer(body=chat("x" * 1000), drip=0.05)
    with ChatServer(by_kind([asks, DONE], drip)) as server:
        started = time.monotonic()
        run = asked(server, request_seconds=0.5, pause_seconds=0)
        assert time.monotonic() - started < 4
    assert run.answer == "done"
    assert run["0.1.1"].error is not None and run["0.1.1"].error.type == "TimedOut"


def test_f61_a_reply_that_never_ends_is_cut_off() -> None:
    """A reply of two hundred megabytes."""
    chunk = b" " * 1_000_000
    memory = psutil.Process().memory_info().rss
    _, caught, requests = failed(ReplyTooLarge, [Answer(body=chunk, times=200)])
    assert requests == 1
    assert f"more than {MOST_BYTES // 1_000_000} MB" in str(caught)
    # Of the client and the server together.
    assert psutil.Process().memory_info().rss - memory < 120 * 2**20


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("place", ["another server", "another path"])
def test_f62_a_prompt_goes_to_no_address_but_its_own(status: int, place: str) -> None:
    """A redirect to another server.

    Exception: one within the same server is refused too. Nothing of a chat server is anywhere else than its base URL
    says, and an address that is wrong is better corrected than followed.
    """
    with ChatServer(["stolen"]) as other:
        there: Callable[[str], str] = lambda url: f"{url}/chat/completions/elsewhere"  # noqa: E731
        with ChatServer(lambda body: Answer(status=status, headers={"Location": there(target)})) as server:
            target = other.url if place == "another server" else server.url
            with pytest.raises(Redirected, match="was not sent there"):
                asked(server, retries=2)
            assert len(server.asked) == 1
    assert other.asked == []
