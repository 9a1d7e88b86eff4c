"""A server that goes out in the middle of a run, over real connections: the run waits, loses nothing, pays nothing twice."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import code, submit
from server import Answer, ChatServer, by_kind, chat, error

from rlm_kernel import RLM, OpenAIModel, Reply, Request, Run, Settings, Trace
from rlm_kernel.engine import outage
from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.outage import Outage
from rlm_kernel.errors import (
    ConfigError,
    KeyRejected,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    ServerUnreachable,
)
from rlm_kernel.trace import (
    CallFinished,
    CodeExecuted,
    Event,
    ModelReplied,
    Recorder,
    RunContinued,
    RunPaused,
)

FIFTY = code("parts = llm_query_batched([f'piece {n}' for n in range(50)])")
COUNTED = submit("f'{len(set(parts))} of {len(parts)}'")
AT_ONCE = {"retry-after-ms": "1"}
QUOTA = Answer(
    status=429,
    body=json.dumps(
        {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}
    ).encode(),
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are tried again sooner than real ones are."""
    monkeypatch.setattr(outage, "FIRST_SECONDS", 0.03)
    monkeypatch.setattr(outage, "MOST_SECONDS", 0.2)


def begun(server: ChatServer, *, retries: int = 0, **options: Any) -> Run:
    """A run under way, at that server."""
    model = OpenAIModel("m", base_url=server.url, retries=retries)
    return RLM(model=model, **{"trace_dir": None, **options}).start("How many?", context="text")


def once(condition: Callable[[], object], seconds: float = 10) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def of(run: Run, kind: type[Event]) -> list[Any]:
    return [event for event in run.trace.events if isinstance(event, kind)]


def is_paused(run: Run) -> bool:
    return run.trace.tree.paused is not None


def pieces(run: Run) -> list[str]:
    """The answers of the sub-calls."""
    return [call.answer for call in run.trace.walk() if call.depth]


class Flaky:
    """Answers a prompt with its capitals; `fails` what it says first, so often."""

    def __init__(self, fails: dict[str, list[Answer]]) -> None:
        self.fails = fails
        self._lock = threading.Lock()

    def __call__(self, prompt: str) -> str | Answer:
        with self._lock:
            left = self.fails.get(prompt)
            return left.pop(0) if left else prompt.upper()


# The server is out, and comes back


def test_an_outage_in_the_middle_of_a_batch_loses_nothing_and_pays_nothing_twice() -> None:
    """50 sub-calls, 8 at a time; after 20 replies the server stops listening, and is back a second later."""
    out = threading.Event()

    def llm(prompt: str) -> Answer:
        if server.paid >= 20:
            out.set()
        return Answer(body=chat(prompt.upper()), delay=0.01)

    with ChatServer(by_kind([FIFTY, COUNTED], llm)) as server:
        run = begun(server, concurrency=8)
        assert out.wait(10)
        server.go_down()
        once(lambda: is_paused(run))
        time.sleep(0.3)
        paid = server.paid
        assert len(run.trace.tree.calls) == 51
        server.come_back()
        assert run.wait(20).answer == "50 of 50"
    assert pieces(run) == [f"PIECE {n}" for n in range(50)]
    assert 20 <= paid < 40
    # A reply that was on its way when the line broke is lost with it, and may be paid for again: at most one a line.
    assert server.paid <= 52 + 8
    assert all(call.status == "finished" for call in run.trace.walk())
    assert not [reply for reply in of(run, ModelReplied) if reply.error]
    (first, *_), (continued,) = of(run, RunPaused), of(run, RunContinued)
    assert first.error.type == "ServerUnreachable"
    assert first.tries == 0
    assert continued.seconds >= 0.3
    assert continued.call_id in run.trace.tree.calls
    assert run.trace.tree.paused is None


@pytest.mark.parametrize("answer", [error(503, "busy", AT_ONCE), error(429, "slow down", AT_ONCE)])
def test_a_server_that_is_up_and_refuses_is_waited_for_too(answer: Answer) -> None:
    """One request tries for all: the others ask once more, when it is through."""
    refusing = threading.Event()

    def llm(prompt: str) -> str | Answer:
        return answer if refusing.is_set() else prompt.upper()

    refusing.set()
    with ChatServer(by_kind([FIFTY, COUNTED], llm)) as server:
        run = begun(server)
        once(lambda: is_paused(run) and len(server.asked) >= 51)
        once(lambda: run.trace.tree.paused and run.trace.tree.paused.tries >= 2)
        tried = len(server.asked) - 51
        refusing.clear()
        assert run.wait(20).answer == "50 of 50"
    assert tried <= 6
    assert server.paid == 52
    probes = {paused.call_id for paused in of(run, RunPaused)}
    assert len(probes) == 1
    tries = [paused.tries for paused in of(run, RunPaused)]
    assert tries == list(range(len(tries)))


def test_a_burst_that_meets_429_does_not_pause() -> None:
    """The SDK waits as long as the server says, before anybody thinks of a pause."""
    flaky = Flaky({f"piece {n}": [error(429, "slow down", {"retry-after-ms": "20"})] * 2 for n in range(50)})
    with ChatServer(by_kind([FIFTY, COUNTED], flaky)) as server:
        run = begun(server, retries=3).wait(20)
        assert server.paid == 52
        assert len(server.asked) == 152
    assert run.answer == "50 of 50"
    assert not of(run, RunPaused)


def test_a_server_says_how_long_it_wants_to_be_left_alone() -> None:
    flaky = Flaky({"a": [error(429, "slow down", {"Retry-After": "0.5"})]})
    with ChatServer(by_kind([code("part = llm_query('a')"), submit("part")], flaky)) as server:
        run = begun(server).wait(20)
    assert run.answer == "A"
    (paused,), (continued,) = of(run, RunPaused), of(run, RunContinued)
    assert paused.retry_at - paused.t >= 0.49
    assert continued.seconds >= 0.49


def test_the_time_of_the_run_stands_still() -> None:
    flaky = Flaky({"a": [error(503, "busy", {"Retry-After": "1"})]})
    with ChatServer(by_kind([code("part = llm_query('a')"), submit("part")], flaky)) as server:
        assert begun(server, max_seconds=0.9).wait(20).answer == "A"


def test_the_root_waits_too() -> None:
    """What the request took is how long it took, without the pause."""
    turns: list[str | Answer] = [code("n = 1"), error(503, "busy", AT_ONCE), submit("n")]
    with ChatServer(turns) as server:
        run = begun(server).wait(10)
    assert run.answer == "1"
    assert [paused.call_id for paused in of(run, RunPaused)] == ["0"]
    assert [paused.turn for paused in of(run, RunPaused)] == [2]


# What is no outage


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    """The address is wrong, more likely, and nothing is lost."""
    with ChatServer([]) as server:
        server.go_down()
        with pytest.raises(ServerUnreachable, match="Is the server running"):
            begun(server).wait(10)
        server.come_back()


@pytest.mark.parametrize("status", [500, 501])
def test_a_request_that_the_server_stumbles_over_is_an_error_of_its_own(status: int) -> None:
    flaky = Flaky({"piece 7": [error(status, "oops", AT_ONCE)]})
    shown = submit("[type(part).__name__ for part in parts if not isinstance(part, str)]")
    with ChatServer(by_kind([FIFTY, shown], flaky)) as server:
        run = begun(server).wait(20)
    assert len(json.loads(run.answer.replace("'", '"'))) == 1
    assert [call.id for call in run.trace.walk() if call.status == "failed"] == ["0.1.8"]
    assert not of(run, RunPaused)


def test_a_server_that_stumbles_over_everything_is_out() -> None:
    broken = threading.Event()
    broken.set()

    def llm(prompt: str) -> str | Answer:
        return error(500, "oops", AT_ONCE) if broken.is_set() else prompt.upper()

    with ChatServer(by_kind([FIFTY, submit("len(parts)")], llm)) as server:
        run = begun(server)
        once(lambda: is_paused(run))
        broken.clear()
        run.wait(20)
    failed = [call for call in run.trace.walk() if call.status == "failed"]
    assert len(failed) == outage.DOUBTS - 1


def test_one_silent_request_is_an_error_and_silence_is_an_outage() -> None:
    silent = threading.Event()

    def llm(prompt: str) -> str | Answer:
        return Answer(silent=True) if silent.is_set() or prompt == "first" else prompt.upper()

    turns = [
        code("try: llm_query('first')\nexcept Exception as error: print(error)"),
        code("parts = llm_query_batched(list('abcde'))"),
        submit("sum(isinstance(part, str) for part in parts)"),
    ]
    with ChatServer(by_kind(turns, llm)) as server:
        run = begun(server, request_seconds=0.3)
        once(lambda: len(of(run, CodeExecuted)) == 1)
        assert "TimedOut" in of(run, CodeExecuted)[0].stdout
        assert not of(run, RunPaused)
        silent.set()
        once(lambda: is_paused(run))
        assert of(run, RunPaused)[0].error.type == "TimedOut"
        silent.clear()
        assert run.wait(20).answer == str(5 - (outage.DOUBTS - 1))


def test_a_wrong_key_ends_the_run_at_once() -> None:
    with ChatServer([error(401, "wrong")]) as server, pytest.raises(KeyRejected):
        begun(server).wait(10)


def test_without_a_pause_a_failure_is_an_error_as_it_comes() -> None:
    flaky = Flaky({"piece 7": [error(503, "busy", AT_ONCE)]})
    with ChatServer(by_kind([FIFTY, submit("len(parts)")], flaky)) as server:
        run = begun(server, pause_seconds=0).wait(20)
    assert [call.id for call in run.trace.walk() if call.status == "failed"] == ["0.1.8"]
    with pytest.raises(ConfigError):
        RLM(model="m", base_url="http://localhost:9/v1", pause_seconds=-1)


# The pause is over, and the server is not back


def test_a_long_outage_ends_the_run_and_resume_pays_nothing_twice(tmp_path: Any) -> None:
    out = threading.Event()

    def llm(prompt: str) -> str | Answer:
        number = int(prompt.split()[-1])
        return error(503, "busy", AT_ONCE) if out.is_set() and number >= 20 else prompt.upper()

    out.set()
    with ChatServer(by_kind([FIFTY, COUNTED], llm)) as server:
        run = begun(server, pause_seconds=0.4, trace_dir=tmp_path)
        with pytest.raises(ServerFailed, match=f"paused for 0.4 s, and gave up. %rlm resume {run.id}"):
            run.wait(20)
        assert run.status == "failed"
        assert run.trace.tree.paused is not None
        assert server.paid == 21
        assert {call.status for call in run.trace.walk()} == {"finished", "interrupted"}
        out.clear()
        again = run.resume()
        assert again.answer == "50 of 50"
        assert server.paid == 52
    assert again.usage.requests == 31


def test_an_empty_account_ends_the_run_at_once_and_resume_pays_nothing_twice(tmp_path: Any) -> None:
    empty = threading.Event()

    def llm(prompt: str) -> str | Answer:
        number = int(prompt.split()[-1])
        if number == 5:
            return QUOTA if empty.is_set() else "FIVE"
        return Answer(body=chat(prompt.upper()), delay=0.3 if number < 5 else 0)

    empty.set()
    with ChatServer(by_kind([FIFTY, COUNTED], llm)) as server:
        run = begun(server, trace_dir=tmp_path, retries=3)
        started = time.monotonic()
        with pytest.raises(QuotaExhausted, match=f"Top it up. %rlm resume {run.id} goes on") as caught:
            run.wait(20)
        assert time.monotonic() - started < 3
        assert caught.value.status == 429
        assert not of(run, RunPaused)
        paid = server.paid
        # What was under way has been paid for, so it was waited for.
        assert (
            len([call for call in run.trace.walk() if call.depth and call.status == "finished"]) == paid - 1
        )
        empty.clear()
        assert run.resume().answer == "50 of 50"
        assert server.paid == 52


# A person does not want to wait


@pytest.fixture
def paused() -> Iterator[tuple[Run, ChatServer, threading.Event]]:
    """A run whose one sub-call waits for its server, which is to be tried again in a minute; `back` says that it is."""
    back = threading.Event()

    def llm(prompt: str) -> str | Answer:
        return prompt.upper() if back.is_set() else error(503, "busy", {"Retry-After": "60"})

    def script(body: dict[str, Any]) -> str | Answer:
        messages = body["messages"]
        if messages[0]["role"] != "system":
            return llm(messages[0]["content"])
        if "last reply" in messages[-1]["content"]:
            return submit("'early'") if back.is_set() else error(503, "busy", AT_ONCE)
        return turns[sum(message["role"] == "assistant" for message in messages)]

    turns = [code("answer['content'] = 'so far'"), code("part = llm_query('a')"), submit("part")]
    with ChatServer(script) as server:
        run = begun(server)
        once(lambda: is_paused(run))
        yield run, server, back
        run.stop()


Paused = tuple[Run, ChatServer, threading.Event]


def test_try_now_tries_at_once(paused: Paused) -> None:
    run, server, back = paused
    asked = len(server.asked)
    run.try_now()
    once(lambda: len(server.asked) == asked + 1)
    once(lambda: run.trace.tree.paused and run.trace.tree.paused.tries == 1)
    back.set()
    assert run.try_now().wait(5).answer == "A"


def test_stop_ends_a_pause(paused: Paused) -> None:
    run, _, _ = paused
    started = time.monotonic()
    assert run.stop().status == "interrupted"
    assert time.monotonic() - started < 1
    assert [done.status for done in of(run, CallFinished)] == ["interrupted"] * 2


def test_answer_now_gets_the_last_turn_when_the_server_is_back(paused: Paused) -> None:
    run, _, back = paused
    back.set()
    assert run.answer_now().wait(5).answer == "early"
    assert of(run, RunContinued)[0].call_id == ""


def test_answer_now_gives_what_there_is_while_the_server_is_out(paused: Paused) -> None:
    run, _, _ = paused
    assert run.answer_now().wait(5).answer == "so far"
    assert run.status == "exhausted"


def test_a_request_that_is_given_up_leaves_the_trying_to_another() -> None:
    async def work() -> list[Event]:
        trace = Trace(live=True)
        recorder = Recorder(trace, None)
        gate = Outage(60, Ledger(Settings()), recorder, run_id="r", hurry=asyncio.Event())
        back = asyncio.Event()

        async def reply(request: Request) -> Reply:
            if not back.is_set():
                raise ServerFailed("busy", model="m", status=503)
            return Reply(text=request.call_id, model="m")

        def sent(call_id: str) -> asyncio.Task[Reply]:
            request = Request(messages=(), model="m", call_id=call_id, turn=1, kind="llm")
            return asyncio.create_task(gate.send(request, reply))

        async def tried(call_id: str) -> None:
            for _ in range(1000):
                if any(isinstance(event, RunPaused) and event.call_id == call_id for event in trace.events):
                    return
                await asyncio.sleep(0)
            raise AssertionError(f"{call_id} did not try")

        first, second = sent("0.1.1"), sent("0.1.2")
        await tried("0.1.1")
        first.cancel()
        await tried("0.1.2")
        back.set()
        assert (await second).text == "0.1.2"
        last = sent("0.1.3")
        back.clear()
        await tried("0.1.3")
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)
        return trace.events

    events = asyncio.run(work())
    assert [event.call_id for event in events if isinstance(event, RunContinued)] == ["0.1.2", ""]


def test_the_error_that_ends_the_run_keeps_its_kind_and_facts() -> None:
    busy = error(429, "slow", AT_ONCE)
    script = by_kind([code("llm_query('a')"), submit("1")], busy)
    with ChatServer(script) as server, pytest.raises(RateLimited) as caught:
        begun(server, pause_seconds=0.1).wait(10)
    assert (caught.value.status, caught.value.model) == (429, "m")
    assert caught.value.run is not None


# Whatever fails, and whoever gives up


class Chance:
    """Fails each request as often as drawn, and is asked in whatever order the loop has it."""

    def __init__(self, fails: dict[str, int]) -> None:
        self.left = dict(fails)
        self.paid: list[str] = []
        self.probing = 0

    async def __call__(self, request: Request) -> Reply:
        probes = request.retries == 0
        self.probing += probes
        assert self.probing <= 1, "two requests try for all"
        try:
            await asyncio.sleep(0)
        finally:
            self.probing -= probes
        if self.left[request.call_id]:
            self.left[request.call_id] -= 1
            raise RateLimited("slow down", model="m", status=429)
        self.paid.append(request.call_id)
        return Reply(text=request.call_id, model="m")


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 4)), min_size=1, max_size=8))
def test_every_request_gets_its_reply_once_or_was_given_up(draws: list[tuple[int, bool, int]]) -> None:
    """Each draw is a request: how often it fails, whether somebody gives it up, and after how many steps of the loop."""

    async def work() -> None:
        trace, ledger = Trace(live=True), Ledger(Settings())
        gate = Outage(60, ledger, Recorder(trace, None), run_id="r", hurry=asyncio.Event())
        server = Chance({str(at): fails for at, (fails, _, _) in enumerate(draws)})
        tasks = []
        for at, (_, given_up, steps) in enumerate(draws):
            request = Request(messages=(), model="m", call_id=str(at), turn=1, kind="llm")
            task = asyncio.create_task(gate.send(request, server))
            tasks.append(task)
            for _ in range(steps):
                await asyncio.sleep(0)
            if given_up:
                task.cancel()
            gate.try_now()
        for _ in range(10_000):
            if all(task.done() for task in tasks):
                break
            gate.try_now()
            await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        came = [str(at) for at, result in enumerate(results) if isinstance(result, Reply)]
        lost = [at for at, result in enumerate(results) if isinstance(result, asyncio.CancelledError)]
        assert len(came) + len(lost) == len(draws)
        assert all(draws[at][1] for at in lost)
        assert [each for each in server.paid if each in came] == sorted(came, key=server.paid.index)
        told = [type(event) for event in trace.events]
        begins = [kind for kind, _ in groupby(told)]
        assert begins == [RunPaused, RunContinued] * (len(begins) // 2)
        assert told.count(RunContinued) == len(begins) // 2
        assert trace.tree.paused is None
        assert ledger.seconds >= 0
        assert not ledger._still

    asyncio.run(work())
