"""The account of a run's tokens: what a request may cost is reserved before it is sent, and settled after."""

from __future__ import annotations

import asyncio
import random
import timeit
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from rlm_kernel import RLM, Reply, Run, ScriptedModel, Usage
from rlm_kernel.engine.tokens import LEAST_REPLY_TOKENS, REPLY_TOKENS, Reservation, Tokens, may_be_billed
from rlm_kernel.errors import (
    BadReply,
    LimitExceeded,
    MissingReply,
    ModelError,
    RateLimited,
    ServerFailed,
    ServerUnreachable,
)
from rlm_kernel.models import Request
from rlm_kernel.trace import Message
from tests.scripts import code, submit


def request(text: str = "x" * 300, most: int | None = 100) -> Request:
    message = Message(role="user", content=text)
    return Request(messages=(message,), model="m", call_id="0", turn=1, kind="rlm", max_output_tokens=most)


def said(sent: int, made: int, text: str = "y") -> Reply:
    return Reply(text=text, model="m", usage=Usage(requests=1, input_tokens=sent, output_tokens=made))


def on_a_loop(scene: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scene(), 60))


# One request


def test_a_request_carries_as_its_cap_what_was_reserved_for_its_reply() -> None:
    async def scene() -> None:
        asked = request(most=100)
        with await Tokens(10_000).reserve(asked) as reserved:
            assert reserved.request.most_output_tokens == 100
            assert reserved.tokens == reserved.sent + 100
            assert reserved.request.hash == asked.hash  # so that a record is found again
        with await Tokens(50_000).reserve(request(most=None)) as reserved:
            assert reserved.request.most_output_tokens == REPLY_TOKENS

    on_a_loop(scene)


def test_without_a_limit_nothing_is_capped_but_all_is_counted() -> None:
    async def scene() -> None:
        tokens, asked = Tokens(None), request(most=None)
        with await tokens.reserve(asked) as reserved:
            assert reserved.request is asked
            reserved.settle(said(30, 5))
        assert (tokens.used, tokens.reserved) == (35, 0)

    on_a_loop(scene)


def test_near_the_limit_a_reply_may_be_as_long_as_what_is_left() -> None:
    async def scene() -> None:
        tokens = Tokens(1_000)
        with await tokens.reserve(request(most=None)) as reserved:
            assert reserved.tokens == 1_000
            reserved.settle(said(reserved.sent, 600))
        with await tokens.reserve(request("x", most=None)) as reserved:
            assert LEAST_REPLY_TOKENS < (reserved.request.output_cap or 0) < 400
            reserved.settle(said(reserved.sent, reserved.request.output_cap or 0))
        assert tokens.spent == 1_000

    on_a_loop(scene)


def test_a_reply_too_short_to_be_worth_it_is_not_asked_for() -> None:
    async def scene() -> None:
        with pytest.raises(LimitExceeded, match=r"at least 365 tokens would pass .* 0 of 300 are used\."):
            await Tokens(300).reserve(request(most=None))

    on_a_loop(scene)


def test_a_last_turn_is_let_through_capped_and_counted() -> None:
    async def scene() -> None:
        tokens = Tokens(10)
        with await tokens.reserve(request(), beyond_limits=True) as reserved:
            assert reserved.request.output_cap == 100
            reserved.settle(said(90, 50))
        assert tokens.spent == 140

    on_a_loop(scene)


# What a prompt is reckoned at


@pytest.mark.parametrize(
    "text", ["x" * 300, "水" * 100, "\ud800" * 100], ids=["ascii", "chinese", "surrogates"]
)
def test_a_prompt_is_reckoned_by_its_bytes(text: str) -> None:
    assert on_a_loop(lambda: Tokens(10_000).reserve(request(text))).sent == 109


@pytest.mark.parametrize("size", [30_000, 60], ids=["long", "short"])
def test_the_reckoning_learns_from_what_the_server_counts(size: int) -> None:
    async def scene() -> None:
        tokens, asked = Tokens(100_000), request("9" * size)
        with await tokens.reserve(asked) as reserved:
            before = reserved.sent
            reserved.settle(said(before * 2, 1))
        with await tokens.reserve(asked) as reserved:
            assert before * 2 <= reserved.sent <= before * 2 + 1
            reserved.settle(said(1, 1))  # a count that is lower teaches nothing
        assert (await tokens.reserve(asked)).sent >= before * 2

    on_a_loop(scene)


def test_an_absurd_count_does_not_make_every_prompt_unaffordable() -> None:
    async def scene() -> None:
        tokens, asked = Tokens(10**12), request("x" * 10_000)
        with await tokens.reserve(asked) as reserved:
            reserved.settle(said(10**9, 1))
        assert (await tokens.reserve(asked)).sent <= 10_100

    on_a_loop(scene)


def test_of_a_server_that_ignores_caps_the_longest_reply_is_reserved() -> None:
    async def scene() -> None:
        tokens = Tokens(2_100)
        with await tokens.reserve(request()) as reserved:
            reserved.settle(said(100, 900))
        with await tokens.reserve(request()) as reserved:
            assert (reserved.tokens - reserved.sent, reserved.request.output_cap) == (900, 100)
            reserved.settle(said(100, 700))
        with pytest.raises(LimitExceeded):
            await tokens.reserve(request())

    on_a_loop(scene)


# How a request ends


@pytest.mark.parametrize(
    "usage",
    [
        Usage(requests=1, input_tokens=75, output_tokens=1, estimated=True),
        Usage(requests=1),
        Usage(requests=1, input_tokens=-(10**9), output_tokens=-5),
    ],
    ids=["estimated", "nothing", "negative"],
)
def test_a_reply_whose_server_does_not_count_is_counted_at_its_worst(usage: Usage) -> None:
    async def scene() -> None:
        tokens = Tokens(10_000)
        with await tokens.reserve(request()) as reserved:
            reserved.settle(Reply(text="水" * 90, model="m", usage=usage))
        assert tokens.used == reserved.sent + 91

    on_a_loop(scene)


def test_a_reply_that_was_not_asked_for_costs_nothing() -> None:
    async def scene() -> None:
        tokens = Tokens(10_000)
        with await tokens.reserve(request()) as reserved:
            reserved.settle(Reply(text="kept", model="m", usage=Usage(input_tokens=50, output_tokens=5)))
        assert (tokens.spent, tokens.reserved) == (0, 0)

    on_a_loop(scene)


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (RateLimited("", model="m", status=429), False),
        (ServerFailed("", model="m", status=500), False),
        (ServerFailed("", model="m", status=504), True),
        (ServerUnreachable("", model="m"), True),
        (BadReply("", model="m"), True),
        (MissingReply("", model="m"), False),
        (asyncio.CancelledError(), True),
        (ValueError(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_request_without_a_reply_counts_where_it_may_be_billed(error: BaseException, billed: bool) -> None:
    async def scene() -> None:
        tokens = Tokens(10_000)
        with suppress(type(error)), await tokens.reserve(request()) as reserved, reserved.attempt():
            raise error
        assert tokens.reserved == 0
        assert tokens.lost == (reserved.tokens if billed else 0)

    assert may_be_billed(error) == billed
    on_a_loop(scene)


def test_each_attempt_that_may_be_billed_counts_beside_the_reply_of_the_last() -> None:
    async def scene() -> None:
        tokens = Tokens(10_000)
        with await tokens.reserve(request()) as reserved:
            for status in (504, 429):
                with suppress(ServerFailed), reserved.attempt():
                    raise ServerFailed("", model="m", status=status)
            with reserved.attempt():
                reserved.settle(said(10, 10))
        assert (tokens.lost, tokens.used, tokens.reserved) == (reserved.tokens, 20, 0)

    on_a_loop(scene)


def test_a_request_that_never_left_costs_nothing() -> None:
    error = ServerUnreachable("nobody listens", model="m")
    error.sent = False
    assert not may_be_billed(error)


# Several requests


def test_a_request_that_others_leave_no_room_for_waits_and_is_let_in_in_turn() -> None:
    async def scene() -> None:
        tokens, order = Tokens(450), []

        async def one(name: str, text: str) -> None:
            with await tokens.reserve(request(text)) as reserved:
                order.append(name)
                await asyncio.sleep(0)
                reserved.settle(said(10, 10))

        names = [("first", "x" * 300), ("second", "x" * 300), ("big", "x" * 600), ("small", "x")]
        await asyncio.gather(*(one(*name) for name in names))
        assert order == ["first", "second", "big", "small"]
        assert tokens.spent == 80

    on_a_loop(scene)


def test_who_waited_and_still_finds_no_room_is_refused() -> None:
    async def scene() -> None:
        tokens = Tokens(300)
        with await tokens.reserve(request()) as reserved:
            waiting = asyncio.create_task(tokens.reserve(request()))
            await asyncio.sleep(0)
            assert not waiting.done()
            reserved.settle(said(109, 91))
        with pytest.raises(LimitExceeded, match=r"200 of 300 are used\."):
            await waiting

    on_a_loop(scene)


@pytest.mark.parametrize("let_in", [False, True])
def test_who_stops_waiting_holds_up_nobody(let_in: bool) -> None:
    async def scene() -> None:
        tokens = Tokens(300)
        with await tokens.reserve(request()) as reserved:
            gone = asyncio.create_task(tokens.reserve(request()))
            behind = asyncio.create_task(tokens.reserve(request()))
            await asyncio.sleep(0)
            if not let_in:
                gone.cancel()
            reserved.settle(said(10, 10))
        if let_in:
            gone.cancel()  # it has been let in, and does not know yet
        with pytest.raises(asyncio.CancelledError):
            await gone
        with await behind:
            assert tokens.reserved == 209
        assert tokens.reserved == 0

    on_a_loop(scene)


class Account(RuleBasedStateMachine):
    """Any order of asking, waiting, leaving, answering and failing: what is spent and reserved is never over."""

    reservations = Bundle("reservations")
    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.beyond = 0
        self.tasks: set[asyncio.Task[Reservation]] = set()
        self.open: set[Reservation] = set()

    @initialize(limit=st.integers(1, 5_000))
    def begin(self, limit: int) -> None:
        self.tokens = Tokens(limit)

    def turn(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))

    @rule(target=waiting, size=st.integers(0, 3_000), most=st.none() | st.integers(1, 2_000))
    def ask(self, size: int, most: int | None) -> asyncio.Task[Reservation]:
        task = self.loop.create_task(self.tokens.reserve(request("x" * size, most)))
        self.tasks.add(task)
        self.turn()
        return task

    @rule(target=reservations, task=consumes(waiting))
    def look(self, task: asyncio.Task[Reservation]) -> Any:
        self.turn()
        if not task.done():
            assert self.open or any(other.done() for other in self.tasks - {task}), "nobody to wait for"
            task.cancel()
            self.turn()
        self.tasks.discard(task)
        if task.cancelled() or task.exception() is not None:
            return multiple()
        self.open.add(task.result())
        return task.result()

    @rule(reservation=consumes(reservations), sent=st.floats(0, 1), made=st.floats(0, 1))
    def answer(self, reservation: Reservation, sent: float, made: float) -> None:
        self.open.discard(reservation)
        with reservation:
            most = reservation.request.output_cap or 0
            reservation.settle(said(max(1, int(reservation.sent * sent)), int(most * made)))

    @rule(reservation=consumes(reservations), status=st.sampled_from([None, 429, 504]))
    def fail(self, reservation: Reservation, status: int | None) -> None:
        self.open.discard(reservation)
        with suppress(ModelError), reservation, reservation.attempt():
            raise ModelError("", model="m", status=status)

    @invariant()
    def never_over(self) -> None:
        assert self.tokens.spent + self.tokens.reserved <= (self.tokens.limit or 0)

    def teardown(self) -> None:
        while self.tasks or self.open:
            for reservation in list(self.open):
                self.answer(reservation, 0.5, 0.5)
            self.turn()
            for task in [task for task in self.tasks if task.done()]:
                self.tasks.discard(task)
                if task.exception() is None:
                    self.open.add(task.result())
        assert self.tokens.reserved == 0
        self.loop.close()


TestAccount = Account.TestCase
TestAccount.settings = settings(deadline=None)


def test_f76_a_hundred_thousand_racing_calls_overspend_nothing() -> None:
    async def scene() -> Tokens:
        chance, tokens, limit = random.Random(5), Tokens(9_000_000), asyncio.Semaphore(64)
        counts = {"replies": 0, "refused": 0, "failed": 0, "cancelled": 0}

        async def one(number: int) -> None:
            async with limit:
                try:
                    with await tokens.reserve(
                        request("x" * chance.randrange(500), 1 + number % 700)
                    ) as reserved:
                        for _ in range(chance.randrange(3)):
                            await asyncio.sleep(0)
                        if chance.random() < 0.05:
                            raise ServerUnreachable("cut", model="m")
                        cap = reserved.request.output_cap or 0
                        reserved.settle(said(1 + chance.randrange(reserved.sent), chance.randrange(cap + 1)))
                        counts["replies"] += 1
                except LimitExceeded:
                    counts["refused"] += 1
                except ServerUnreachable:
                    counts["failed"] += 1
                except asyncio.CancelledError:
                    counts["cancelled"] += 1
                assert tokens.spent + tokens.reserved <= 9_000_000

        for start in range(0, 100_000, 1_000):
            tasks = [asyncio.create_task(one(number)) for number in range(start, start + 1_000)]
            for task in chance.sample(tasks, 30):
                asyncio.get_running_loop().call_later(0, task.cancel)
            await asyncio.wait(tasks)
        assert tokens.reserved == 0
        assert all(counts.values()), counts
        return tokens

    tokens = on_a_loop(scene)
    assert tokens.limit - 10_000 < tokens.spent <= tokens.limit  # and what can be used is used


def test_a_request_costs_a_few_microseconds_of_accounting() -> None:
    tokens, asked, reply = Tokens(10**12), request(), said(100, 50)

    async def scene() -> float:
        async def batch() -> None:
            for _ in range(1_000):
                with await tokens.reserve(asked) as reserved, reserved.attempt():
                    reserved.settle(reply)

        times = []
        for _ in range(5):
            started = timeit.default_timer()
            await batch()
            times.append(timeit.default_timer() - started)
        return min(times) / 1_000

    assert on_a_loop(scene) < 100e-6  # 6 us on an idle machine


# Whole runs


def billed(request: Request) -> Usage:
    """The most that a server may bill for the request: all of its cap, and a token for every 3 bytes."""
    size = sum(len(message.content) for message in request.messages)
    return Usage(requests=1, input_tokens=size // 3 + 1, output_tokens=request.most_output_tokens or 0)


def greedy(root: str, *, child: str = "", **options: Any) -> tuple[Run, ScriptedModel]:
    """A run whose every request is billed at the most; the root runs `root` and then submits `r`."""

    def reply(request: Request) -> Reply:
        script = (root, submit("str(r)")) if request.call_id == "0" else (child, submit("'done'"))
        return Reply(text=script[min(request.turn, 2) - 1], model="m", usage=billed(request))

    async def llm(request: Request) -> Reply:
        await asyncio.sleep(0.001)
        return Reply(text="y", model="m", usage=billed(request))

    model = ScriptedModel(reply, llm=llm)
    return RLM(model=model, trace_dir=None, **options).run("What?", context="c"), model


def spent_without_the_last_turn(run: Run) -> int:
    last = run["0"].turns[-1].reply
    return run.usage.tokens - (last.usage.tokens if run.status == "exhausted" and last else 0)


def test_f75_a_limit_of_tokens_holds_for_children_of_depth_2_and_their_requests() -> None:
    deep = code("r = [str(x) for x in llm_query_batched(['x' * 300] * 20)]")
    run, model = greedy(
        code("r = [str(x) for x in rlm_query_batched(['look'] * 4)]"),
        child=deep,
        max_depth=2,
        max_tokens=20_000,
        max_output_tokens=300,
    )
    assert {request.kind for request in model.requests if request.call_id.startswith("0.1.")} == {
        "rlm",
        "llm",
    }
    assert 12_000 < spent_without_the_last_turn(run) <= 20_000


def test_f76_two_hundred_racing_threads_of_model_code_overspend_nothing() -> None:
    race = code(
        "import threading",
        "r = []",
        "def ask():",
        "    try: r.append(llm_query('x' * 300))",
        "    except SubcallError: r.append('refused')",
        "threads = [threading.Thread(target=ask) for _ in range(200)]",
        "for thread in threads: thread.start()",
        "for thread in threads: thread.join()",
        "r = f\"{r.count('y')} {r.count('refused')}\"",
    )
    run, model = greedy(race, max_tokens=20_000, max_output_tokens=100)
    asked, refused = map(int, (run.answer or "").split())
    assert asked + refused == 200
    assert asked == sum(request.kind == "llm" for request in model.requests) > 50
    assert 15_000 < spent_without_the_last_turn(run) <= 20_000


def test_f77_a_limit_of_tokens_stops_inside_a_batch_and_refuses_no_slot_that_fits() -> None:
    run, model = greedy(
        code("r = llm_query_batched(['x' * 300] * 500)", "r = sum(isinstance(x, SubcallError) for x in r)"),
        max_tokens=30_000,
        max_output_tokens=100,
    )
    asked = sum(request.kind == "llm" for request in model.requests)
    assert run["0"].error is None
    assert asked + int(run.answer or 0) == 500
    assert 28_000 < spent_without_the_last_turn(run) <= 30_000


def test_a_batch_whose_replies_are_short_is_answered_whole_though_all_at_once_would_not_fit() -> None:
    def llm(request: Request) -> Reply:
        return said(20, 5)

    model = ScriptedModel([code("r = llm_query_batched(['q'] * 100)"), submit("str(r.count('y'))")], llm=llm)
    run = RLM(model=model, trace_dir=None, max_tokens=30_000).run("What?", context="c")
    assert (run.status, run.answer) == ("finished", "100")
    assert {request.output_cap for request in model.requests} == {REPLY_TOKENS}
