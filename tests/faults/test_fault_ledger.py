"""Faults 75 to 77: what a run may spend, with recursion, with threads, inside a batch."""

from __future__ import annotations

import asyncio
import random

from scripts import code, submit

from rlm_kernel import RLM, Reply, Request, Run, ScriptedModel, Usage

LIMIT = 20_000
CAP = 200


def billed(request: Request, text: str = "y") -> Reply:
    """A reply whose server counts a token for every four bytes that it was sent, and gives all that it may."""
    sent = sum(len(message.content) for message in request.messages) // 4 + 1
    made = min(request.most_output_tokens or CAP, CAP)
    return Reply(
        text=text, model="m", usage=Usage(requests=1, input_tokens=sent, output_tokens=made, cost=0.001)
    )


class Bank:
    """Adds up what a model was paid, by itself: the ledger has no say in it. The last turns, which a run may take
    beyond its limit, are counted apart."""

    def __init__(self) -> None:
        self.tokens = 0
        self.last = 0
        self.requests = 0

    def pay(self, request: Request, text: str) -> Reply:
        reply = billed(request, text)
        self.requests += 1
        if "This is your last reply" in request.messages[-1].content:
            self.last += reply.usage.tokens
        else:
            self.tokens += reply.usage.tokens
        return reply


def spend(model: ScriptedModel, **options: object) -> Run:
    """A run with a limit of tokens and no other."""
    settings = {"max_tokens": LIMIT, "max_calls": None, "max_output_tokens": CAP, **options}
    return RLM(model=model, trace_dir=None, **settings).run("What?", context="x" * 100)


def test_f75_a_limit_of_tokens_holds_through_a_recursion() -> None:
    """A limit of tokens, and children of children that spend."""
    bank = Bank()
    spends = "got = llm_query_batched(['word ' * 40] * 5)"
    deeper = "rlm_query_batched(['deeper'] * 3, contexts=['a', 'b', 'c'])"

    def rlm(request: Request) -> Reply:
        is_last = "This is your last reply" in request.messages[-1].content
        return bank.pay(request, submit("'spent'") if is_last else code(spends, deeper))

    model = ScriptedModel(rlm, llm=lambda request: bank.pay(request, "y"))
    run = spend(model, max_depth=4, max_turns=100)
    print(f"{bank.tokens} of {LIMIT} tokens in {bank.requests} requests, {bank.last} in last turns")
    assert (run.status, run.answer) == ("exhausted", "spent")
    assert max(call.depth for call in run.walk()) >= 3
    assert LIMIT / 2 < bank.tokens <= LIMIT
    assert run.usage.tokens == bank.tokens + bank.last


def test_f76_two_hundred_threads_do_not_pass_the_limit_together() -> None:
    """A budget, and two hundred threads that race for it.

    Exception: the limit is one of tokens, not of money. No server tells its price before it is paid, and a limit that is
    only known to be passed afterwards is none. What servers say that a reply did cost is in the trace.
    """
    bank = Bank()
    lottery = random.Random(76)

    async def llm(request: Request) -> Reply:
        await asyncio.sleep(lottery.random() / 100)
        return bank.pay(request, "y")

    block = code(
        "import threading",
        "failed = []",
        "def work(n):",
        "    for m in range(20):",
        "        try: llm_query(f'{n} {m} ' + 'word ' * 20)",
        "        except SubcallError as error: failed.append(str(error))",
        "threads = [threading.Thread(target=work, args=(n,)) for n in range(200)]",
        "for thread in threads: thread.start()",
        "for thread in threads: thread.join()",
    )
    model = ScriptedModel(
        lambda request: bank.pay(request, block if request.turn == 1 else submit("len(failed)")), llm=llm
    )
    run = spend(model, concurrency=200)
    print(f"{bank.tokens} of {LIMIT} tokens in {bank.requests} requests")
    assert LIMIT / 2 < bank.tokens <= LIMIT
    assert run.usage.tokens == bank.tokens + bank.last
    assert run.usage.cost is not None
    assert abs(run.usage.cost - 0.001 * bank.requests) < 1e-9
    told = [call.error.message for call in run.walk() if call.error and call.error.type == "LimitExceeded"]
    assert len(told) > 3000
    assert "would pass the run's limit" in told[0]


def test_f77_a_batch_stops_where_the_limit_is_reached() -> None:
    """A budget that is used up inside a batch."""
    bank = Bank()
    block = code("got = llm_query_batched(['word ' * 100] * 500)")
    done = submit("sum(isinstance(each, str) for each in got)")
    model = ScriptedModel(
        lambda request: bank.pay(request, block if request.turn == 1 else done),
        llm=lambda request: bank.pay(request, "y"),
    )
    run = spend(model, concurrency=8)
    statuses = [call.status for call in run.walk() if call.kind == "llm"]
    print(f"{statuses.count('finished')} of {len(statuses)} were sent, {bank.tokens} of {LIMIT} tokens used")
    assert len(statuses) == 500
    assert 10 < statuses.count("finished") == int(run.answer or 0) < 100
    assert statuses.count("failed") == 500 - statuses.count("finished")
    assert bank.tokens <= LIMIT
