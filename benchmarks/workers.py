"""Workers: how soon the model's code can run, guarded and with its guard proven, and what a sub-call's way to the engine
and back takes. The engine answers at once; nothing is asked of a model."""

import json
import sys
from collections.abc import Iterator
from subprocess import PIPE, Popen
from typing import Any

from benchmarks.measures import Plan
from benchmarks.runner import Runner
from benchmarks.tables import Row, Table, Target

HOPS = 5_000
STARTS = 9
MS = 1_000
_PROGRAM = f"""\
import json, statistics, time
from rlm_kernel.engine.thread import submit
from rlm_kernel.repl.base import SubcallResult
from rlm_kernel.repl.isolation import obtain
from rlm_kernel.repl.pack import pack_context
from rlm_kernel.repl.repls import Repls

async def serve(batch):
    return [SubcallResult(answer="yes") for _ in batch.requests]

async def opened(context=None):
    repls = Repls(terms, context, block_seconds=60)
    times = []
    for _ in range({STARTS}):
        repl = repls.make(context, seed=0)
        started = time.perf_counter()
        await repl.open()
        times.append(time.perf_counter() - started)
        await repl.close()
    await repls.close()
    return times

async def hop():
    repls = Repls(terms, None, block_seconds=60)
    repl = repls.make(None, seed=0)
    code = "import time\\nbegan = time.perf_counter()\\nfor _ in range({HOPS}): llm_query('is it?')\\nprint(time.perf_counter() - began)"
    done = await repl.execute(code, name="<rlm:0.1 block 1>", serve=serve)
    await repl.close()
    await repls.close()
    return float(done.stdout) / {HOPS}

terms = obtain("auto")
first, *others = submit(opened()).result()
text = pack_context("lorem ipsum dolor " * (10**8 // 18))
_, *loaded = submit(opened(text)).result()
print(json.dumps({{"level": terms.isolation, "first": first, "other": statistics.median(others),
                   "loaded": statistics.median(loaded), "hop": submit(hop()).result()}}))
"""
_ROWS = {
    "first": ("the first worker of a process is ready", 60.0),
    "other": ("a later worker is ready", 15.0),
    "loaded": ("a worker with a loaded context of 100 MB is ready", 15.0),
    "hop": ("a sub-call's way to the engine and back", 0.3),
}


def workers(runner: Runner, plan: Plan) -> Table:
    """Milliseconds until a worker is ready, and of a sub-call that is answered at once."""
    measured = [_measured() for _ in range(plan.runs)]
    levels = ", ".join(sorted({each["level"] for each in measured}))
    note = (
        f"Each run is a process of its own; level obtained: {levels}. Ready means that a worker has its limits and its "
        "guard, has proven it, and has its context. No contender starts workers from a process that holds the context."
    )
    return Table(title="Workers", note=note, rows=tuple(_rows(measured)))


def _rows(measured: list[dict[str, Any]]) -> Iterator[Row]:
    for name, (case, limit) in _ROWS.items():
        samples = tuple(each[name] * MS for each in measured)
        target = Target(subject="ours", limit=limit, text=f"≤ {limit:g} ms")
        yield Row(case=case, unit="ms", ours=samples, rlms=(), target=target)


def _measured() -> dict[str, Any]:
    with Popen([sys.executable, "-c", _PROGRAM], stdout=PIPE, text=True) as process:
        said = process.communicate()[0]
    if process.returncode:
        raise RuntimeError("the measuring process failed")
    found: dict[str, Any] = json.loads(said)
    return found
