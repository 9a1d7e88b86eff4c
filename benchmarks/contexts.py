"""Contexts: from a value in the user's process to the same value in another, and the memory that this takes of the
user's.

The other process is an interpreter that stands ready, as a zygote does; what the context needs imported it imports, and
that is in the time. Nothing is asked of a model.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import PIPE, Popen

from benchmarks.measures import SLOW_MB, Plan
from benchmarks.runner import Runner
from benchmarks.tables import Row, Table, Target

MB = 2**20
GROWTH_MB = 20
_TEXT = '"lorem ipsum dolor " * ({mb} * 10**6 // 18)'
_FRAME = 'pandas.DataFrame({{f"c{{n}}": numpy.random.rand({mb} * 2**20 // 64) for n in range(8)}})'
_USER = """\
import re, subprocess, sys, time
from pathlib import Path
from rlm_kernel.repl.pack import pack_context
{imports}

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

for warm in {warm}:
    pack_context(warm).close()
context = {value}
other = subprocess.Popen([sys.executable, "-s", "-P", "-c", {worker!r}, *sys.path], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, close_fds=False)
other.stdout.readline()
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
started = time.perf_counter()
packed = pack_context(context)
print(packed.route, packed.size, packed.fd, file=other.stdin, flush=True)
other.stdout.readline()
print(time.perf_counter() - started, memory("VmHWM") - before)
other.stdin.close()
other.wait()
"""
_WORKER = """\
import os, sys
sys.path.extend(sys.argv[1:])
from rlm_kernel.repl.routes import decode
print("ready", flush=True)
route, size, fd = sys.stdin.readline().split()
file = os.open(f"/proc/{os.getppid()}/fd/{fd}", os.O_RDONLY)
context = decode(route, file, int(size))
len(context)
print("decoded", flush=True)
os._exit(0)
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A context, how many MB it has, and within how many seconds it is to be there, if that is said."""

    name: str
    value: str
    mb: int
    seconds: float | None
    imports: str = ""
    warm: str = '("x",)'


CASES = (
    Case(name="10 MB text", value=_TEXT, mb=10, seconds=0.05),
    Case(name="100 MB text", value=_TEXT, mb=100, seconds=0.4),
    Case(name="1 GB text", value=_TEXT, mb=1_000, seconds=None),
    Case(
        name="1 GB numeric DataFrame",
        value=_FRAME,
        mb=1_024,
        seconds=1.5,
        imports="import numpy, pandas",
        warm="(pandas.DataFrame({'a': [1]}),)",
    ),
)


def contexts(runner: Runner, plan: Plan) -> Table:
    """Seconds from a value to its copy in another process, and the bytes by which the user's process grew at most."""
    rows = [row for case in CASES if case.mb <= max(plan.context_mb) * 1.1 for row in _rows(case, plan)]
    note = (
        "Encoded, hashed, written, mapped and decoded; the other process imports what it needs, pandas for a DataFrame, "
        "within that time. Memory is the peak over what the process had before."
    )
    return Table(title="Contexts", note=note, rows=tuple(rows))


def _rows(case: Case, plan: Plan) -> Iterator[Row]:
    samples = [_measured(case) for _ in range(plan.runs if case.mb < SLOW_MB else plan.slow_runs)]
    seconds, growth = zip(*samples, strict=True)
    time = Target(subject="ours", limit=case.seconds, text=f"≤ {case.seconds:g} s") if case.seconds else None
    memory = Target(subject="ours", limit=GROWTH_MB * MB, text=f"≤ {GROWTH_MB} MB")
    yield Row(case=f"{case.name}: value → decoded", unit="s", ours=seconds, rlms=(), target=time)
    yield Row(case=f"{case.name}: user's process grows by", unit="bytes", ours=growth, rlms=(), target=memory)


def _measured(case: Case) -> tuple[float, float]:
    code = _USER.format(
        imports=case.imports, warm=case.warm, value=case.value.format(mb=case.mb), worker=_WORKER
    )
    with Popen([sys.executable, "-c", code], stdout=PIPE, text=True) as process:
        said = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"{case.name}: the measuring process failed")
    seconds, growth = map(float, said.split())
    return seconds, max(growth, 0.0)


if __name__ == "__main__":
    from benchmarks.report import render

    with Runner() as runner:
        print(render(contexts(runner, Plan(runs=5, slow_runs=3))))
