"""Threads of the model's code have names that are the same in every run; so has chance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from workers import Worker

from rlm_kernel.repl.base import SubcallBatch, SubcallResult


class Desk:
    """Answers sub-calls and remembers which lane asked what."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}
        self.batches: list[SubcallBatch] = []

    async def __call__(self, batch: SubcallBatch) -> Sequence[SubcallResult]:
        self.batches.append(batch)
        self.asked.setdefault(batch.lane, []).extend(request.prompt for request in batch.requests)
        # The later one asks, the sooner one hears.
        await asyncio.sleep(0.03 / len(self.batches))
        return [SubcallResult(answer=f"<{request.prompt}>") for request in batch.requests]


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def test_the_block_itself_has_the_empty_lane(worker: Worker) -> None:
    desk = Desk()
    worker.run("llm_query('a'); llm_query_batched(['b', 'c'])", desk)
    assert desk.asked == {"": ["a", "b", "c"]}


def test_threads_are_numbered_as_they_are_started(worker: Worker) -> None:
    desk = Desk()
    code = """
import threading
def work(name, more):
    llm_query(name)
    if more:
        inner = threading.Thread(target=work, args=(name + "'", 0)); inner.start(); inner.join()
    llm_query(name + '!')
threads = [threading.Thread(target=work, args=(name, name == 'b')) for name in 'ab']
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    result = worker.run(code, desk)
    assert result.error is None
    assert desk.asked == {"1": ["a", "a!"], "2": ["b", "b!"], "2.1": ["b'", "b'!"]}


@pytest.mark.parametrize("workers", [1, 3])
def test_tasks_of_a_pool_are_numbered_as_they_are_handed_in(worker: Worker, workers: int) -> None:
    desk = Desk()
    code = f"""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor({workers}) as pool:
    replies = list(pool.map(llm_query, 'abcd'))
print(replies)
"""
    assert worker.run(code, desk).stdout == "['<a>', '<b>', '<c>', '<d>']\n"
    assert desk.asked == {"1": ["a"], "2": ["b"], "3": ["c"], "4": ["d"]}


def test_so_are_those_of_asyncio(worker: Worker) -> None:
    desk = Desk()
    code = """
import asyncio
print(await asyncio.gather(*(asyncio.to_thread(llm_query, name) for name in 'abc')))
"""
    assert worker.run(code, desk).stdout == "['<a>', '<b>', '<c>']\n"
    assert desk.asked == {"1": ["a"], "2": ["b"], "3": ["c"]}


def test_each_block_numbers_anew(worker: Worker) -> None:
    code = "import threading; t = threading.Thread(target=llm_query, args=('a',)); t.start(); t.join()"
    for _ in range(2):
        desk = Desk()
        worker.run(code, desk)
        assert desk.asked == {"1": ["a"]}


ORDER = """
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
out = []
def work(name):
    out.append(llm_query(name))
threads = [threading.Thread(target=work, args=(name,)) for name in 'abcdefgh']
for thread in threads: thread.start()
for thread in threads: thread.join()
print(''.join(out))
told = SimpleQueue()
with ThreadPoolExecutor(8) as pool:
    for name in 'abcdefgh': pool.submit(lambda name=name: told.put(llm_query(name)))
print(''.join(told.get() for _ in 'abcdefgh'))
"""


@pytest.mark.parametrize("order", ["abcdefgh", "hgfedcba", "fahbgced"])
def test_threads_see_answers_in_the_order_in_which_they_are_sent(worker: Worker, order: str) -> None:
    asked: dict[str, asyncio.Event] = {}
    everybody = asyncio.Event()

    async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
        nonlocal everybody
        name = batch.requests[0].prompt
        if len(asked) == len(order):  # the second time around
            asked.clear()
            everybody = asyncio.Event()
        mine, all_there = asked.setdefault(name, asyncio.Event()), everybody
        if len(asked) == len(order):
            all_there.set()
        await all_there.wait()
        place = order.index(name)
        if place:
            await asked[order[place - 1]].wait()
        mine.set()
        return [SubcallResult(answer=name)]

    # On a busy machine a thread may take longer than its moment.
    worker.run("from rlm_kernel.repl.child import lanes\nlanes.SETTLE_SECONDS = 5")
    result = worker.run(ORDER, serve)
    assert result.error is None
    assert result.stdout == f"{order}\n{order}\n"


def test_a_busy_thread_keeps_the_others_waiting_for_a_moment_only(worker: Worker) -> None:
    code = """
import threading, time
def work(name):
    llm_query(name); time.sleep(60)
for name in 'ab': threading.Thread(target=work, args=(name,), daemon=True).start()
print(llm_query('c'))
"""
    assert worker.run(code).stdout == "<c>\n"


def test_chance_and_the_order_of_sets_are_the_same_in_every_worker() -> None:
    code = """
import random
print(random.random(), list({'a', 'b', 'c', 'd'}), hash('text'))
import numpy
print(numpy.random.rand())
"""
    printed = []
    for _ in range(2):
        worker = Worker()
        printed.append(worker.run(code).stdout)
        worker.close()
    assert printed[0] == printed[1] != ""


def test_another_seed_is_another_chance(worker: Worker) -> None:
    code = "import random, numpy.random; print(random.random(), numpy.random.rand())"
    other = Worker(seed=1)
    assert worker.run(code).stdout != other.run(code).stdout
    other.close()
