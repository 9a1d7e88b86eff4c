"""Thousands of sub-calls in one process: its memory stays flat, and nothing that was opened or started is left.

    python tests/soak/calls.py --calls 10000

Each round is a run with every kind of sub-call: batched, one by one, from threads, children with a context and requests of
their own, a child whose worker dies, and, now and then, a run that is stopped in the middle. What is there after the
first rounds (the thread of the engine, the zygote that stays) is what may be there in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from rlm_kernel import RLM, Request, ScriptedModel

ROOT = """```repl
import threading
r = llm_query_batched(['batched ' * 20] * 120)
r += [llm_query(f'one {number}') for number in range(30)]
def ask(): r.append(llm_query('from a thread'))
threads = [threading.Thread(target=ask) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
r += rlm_query_batched(['look'] * 3 + ['die'], contexts=['text ' * 1000, list(range(1000)), {'a': 'b'}, 'x'])
answer['content'] = str(len(r))
answer['ready'] = True
```"""
CHILD = """```repl
r = llm_query_batched([str(context)[:100]] * 10) + [llm_query('deep') for _ in range(3)]
answer['content'] = str(len(r))
answer['ready'] = True
```"""
DIES = "```repl\nimport os\nos._exit(3)\n```"
RISEN = "```repl\nanswer['content'] = 'risen'\nanswer['ready'] = True\n```"
ENDLESS = "```repl\nllm_query_batched(['for ever'] * 40)\n```"
A_ROUND = 120 + 30 + 20 + 4 + 3 * 13
SETTLE_SECONDS = 10.0
STOPPED_EVERY = 5


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the process holds."""

    files: int
    threads: int
    processes: int
    folders: int

    @classmethod
    def now(cls, folder: Path) -> Held:
        process = psutil.Process()
        return cls(
            files=process.num_fds(),
            threads=threading.active_count(),
            processes=len(process.children(recursive=True)),
            folders=len(list(folder.iterdir())),
        )

    def no_more_than(self, other: Held) -> bool:
        return all(
            mine <= theirs for mine, theirs in zip(asdict(self).values(), asdict(other).values(), strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the soak found. `grown_mb` is what the memory grew by over the rounds after the first, by its trend."""

    calls: int
    seconds: float
    memory_mb: list[float]
    grown_mb: float
    before: Held
    after: Held

    def wrong(self, most_mb: float) -> list[str]:
        """What is not as it must be, in sentences."""
        said = []
        if self.grown_mb > most_mb:
            said.append(f"memory grew by {self.grown_mb:.1f} MB: {self.memory_mb}")
        if not self.after.no_more_than(self.before):
            said.append(f"left behind: {self.before} became {self.after}")
        return said

    def __str__(self) -> str:
        return (
            f"{self.calls:,} sub-calls in {self.seconds:.0f} s: memory {self.memory_mb[0]:.0f} MB, then "
            f"{self.memory_mb[-1]:.0f} MB (trend {self.grown_mb:+.1f} MB); {self.after}"
        )


def soak(calls: int, folder: Path) -> Report:
    """Makes that many sub-calls, and a few hundred before that count for nothing."""
    tempfile.tempdir = str(folder)
    rounds, memory = -(-calls // A_ROUND), []
    warm_up = max(3, rounds // 5)
    for number in range(warm_up):
        one_round(number)
    before = settled(folder, lambda held: held.processes <= 1)
    started = time.monotonic()
    for number in range(rounds):
        one_round(number)
        gc.collect()
        memory.append(psutil.Process().memory_info().rss / 2**20)
    seconds = time.monotonic() - started
    after = settled(folder, lambda held: held.no_more_than(before))
    return Report(
        calls=rounds * A_ROUND,
        seconds=seconds,
        memory_mb=[round(size, 1) for size in memory],
        grown_mb=trend(memory) * (len(memory) - 1),
        before=before,
        after=after,
    )


def one_round(number: int) -> None:
    """One run to its end, and sometimes one that is stopped."""
    done = RLM(model=ScriptedModel(turn, llm=llm), trace_dir=None, max_calls=None).run(
        "What?", context=["text"] * 100
    )
    assert done.answer == str(120 + 30 + 20 + 4), done.answer
    assert done["0.1.174"].answer == "risen"
    assert len(list(done.trace.walk())) == A_ROUND + 1
    if number % STOPPED_EVERY == 0:
        stopped()


def stopped() -> None:
    """A run that is stopped while its sub-calls are under way."""
    model = ScriptedModel([ENDLESS], llm=lambda request: asyncio.sleep(3600))
    run = RLM(model=model, trace_dir=None).start("What?", context="x")
    until(lambda: len(model.requests) == 41)
    run.stop()
    assert run.status == "interrupted", run.status


def turn(request: Request) -> str:
    if request.call_id == "0":
        return ROOT
    if "die" in request.messages[1].content:
        return DIES if request.turn == 1 else RISEN
    return CHILD


def llm(request: Request) -> str:
    return f"<{request.messages[0].content[:20]}>"


def trend(values: list[float]) -> float:
    """How much each value is more than the one before it, by least squares."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / (spread or 1)


def settled(folder: Path, good: Callable[[Held], bool]) -> Held:
    """What is held once workers have had the time to go."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not good(held := Held.now(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--most-mb", type=float, default=10.0, help="what memory may grow by")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = soak(arguments.calls, Path(folder))
    wrong = report.wrong(arguments.most_mb)
    print(json.dumps(asdict(report)) if arguments.json else report)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
