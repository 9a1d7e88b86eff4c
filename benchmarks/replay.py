"""Replay: what it takes to run a recorded run again, beyond the time of its own code.

The code's own time is that of the same block with functions of Python in the place of sub-calls, in the same worker.
No contender replays. The replies are scripted: nothing here is a model's.
"""

import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from benchmarks.measures import Plan
from benchmarks.runner import Runner
from benchmarks.tables import Row, Samples, Table, Target
from rlm_kernel import RLM, Request, Run, ScriptedModel

CALLS = 10_000
LIMIT = 5.0
ASKING = {
    "one batch": "replies = llm_query_batched(prompts)",
    "one after the other": "replies = [llm_query(prompt) for prompt in prompts]",
    "from a pool of 16 threads": "with ThreadPoolExecutor(16) as pool: replies = list(pool.map(llm_query, prompts))",
}
PROMPTS = f"""\
from concurrent.futures import ThreadPoolExecutor
prompts = [f"What is in part {{number}}?" for number in range({CALLS})]
"""
LOCAL = """\
llm_query = lambda prompt: f"<{prompt}>"
llm_query_batched = lambda prompts: [llm_query(prompt) for prompt in prompts]
"""


def replay(runner: Runner, plan: Plan) -> Table:
    """Seconds of a whole replay, its worker's start included, less those of the code alone."""
    note = (
        f"{CALLS:,} recorded sub-calls, trace written to disk, no model asked; the time of the code itself is taken off. "
        "No contender replays a run."
    )
    return Table(title="Replay", note=note, rows=tuple(_rows(plan.slow_runs)))


def _rows(runs: int) -> Iterator[Row]:
    for how, asking in ASKING.items():
        with TemporaryDirectory(prefix="rlm-bench-") as folder:
            recorded = _run(PROMPTS + asking, folder)
            alone = _run(PROMPTS + LOCAL + asking, folder)
            own = alone["0"].turns[0].blocks[0].executed.seconds
            samples = tuple(_replayed(recorded) - own for _ in range(runs))
        yield _row(f"{CALLS:,} sub-calls, {how}", samples)


def _replayed(recorded: Run) -> float:
    started = time.perf_counter()
    again = recorded.replay()
    took = time.perf_counter() - started
    assert again.answer == recorded.answer
    assert again.usage.requests == 0
    return took


def _run(code: str, folder: str) -> Run:
    turns = [code + "\nprint(len(replies))", 'answer["content"] = replies[-1]\nanswer["ready"] = True']
    model = ScriptedModel([f"```repl\n{turn}\n```" for turn in turns], llm=_reply)
    return RLM(model=model, max_calls=None, block_seconds=600, trace_dir=folder).run(
        "What is there?", context="-"
    )


def _reply(request: Request) -> str:
    return f"<{request.messages[0].content}>"


def _row(case: str, samples: Samples) -> Row:
    target = Target(subject="ours", limit=LIMIT, text=f"≤ {LIMIT:g} s")
    return Row(case=case, unit="s", ours=samples, rlms=(), target=target)
