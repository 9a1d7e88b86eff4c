"""A process in the middle of a run, killed: one second later nothing that it started is alive.

    python tests/soak/orphans.py --kills 20

The process that looks adopts whatever outlives its parent, so nothing escapes its look.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

SET_CHILD_SUBREAPER = 36
WORKERS = 4
SECONDS = 30.0
ALIVE_SECONDS = 1.0

BUSY = """
import asyncio, sys
from rlm_kernel import RLM, ScriptedModel

def turn(request):
    if request.call_id == "0":
        return "```repl\\nrlm_query_batched(['look'] * 4, contexts=[[i] for i in range(4)])\\n```"
    kind = int(request.call_id.rpartition(".")[2])
    return "```repl\\n" + (
        "while True:\\n    try:\\n        while True: pass\\n    except BaseException: pass",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); sum(range(10**12))",
        "import threading, time\\nfor i in range(20): threading.Thread(target=time.sleep, args=(99,)).start()\\ntime.sleep(99)",
        "llm_query('for ever')",
    )[kind - 1] + "\\n```"

model = ScriptedModel(turn, llm=lambda request: asyncio.sleep(3600))
run = RLM(model=model, trace_dir=sys.argv[1], isolation=sys.argv[2]).start("What?", context=["text"] * 100)
print("begun", flush=True)
run.wait()
"""


@contextmanager
def adopting() -> Iterator[None]:
    """Makes this process the parent of whatever outlives its own, on Linux."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def killed(folder: Path, after: float, isolation: str = "auto") -> tuple[int, list[str]]:
    """How many processes a process had when it was killed so long after all its workers were there, and what is alive a
    second later."""
    victim = subprocess.Popen([sys.executable, "-c", BUSY, str(folder), isolation], stdout=subprocess.PIPE)
    assert victim.stdout is not None
    try:
        victim.stdout.readline()
        started = below(victim.pid, at_least=WORKERS + 1)
        time.sleep(after)
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()
    dead = time.monotonic()
    while (left := outlived(started)) and time.monotonic() - dead < ALIVE_SECONDS:
        time.sleep(0.01)
    names = [f"{process.pid} {' '.join(process.cmdline())[:80]}" for process in left]
    for process in left:
        process.kill()
    return len(started), names


def below(pid: int, *, at_least: int) -> list[psutil.Process]:
    """All that the process started, once there are so many."""
    deadline = time.monotonic() + SECONDS
    while len(found := psutil.Process(pid).children(recursive=True)) < at_least:
        assert time.monotonic() < deadline, f"{len(found)} processes and not {at_least}"
        time.sleep(0.01)
    return found


def outlived(started: list[psutil.Process]) -> list[psutil.Process]:
    """Those that are alive, and any that were started since and are children of this process now."""
    reap()
    adopted = [child for child in psutil.Process().children(recursive=True) if is_ours(child)]
    return [process for process in {*started, *adopted} if process.is_running() and not is_dead(process)]


def is_ours(process: psutil.Process) -> bool:
    try:
        return "rlm_kernel" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def is_dead(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def reap() -> None:
    """Takes leave of adopted processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    arguments = parser.parse_args()
    chance, processes, alive = random.Random(arguments.seed), 0, []
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with adopting():
        for _ in range(arguments.kills):
            count, left = killed(Path(".rlm"), chance.uniform(0, 0.5))
            processes += count
            alive += left
    print(
        f"{arguments.kills} processes killed with {processes} under them: {len(alive)} alive a second later"
    )
    print(*alive, sep="\n", file=sys.stderr)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
