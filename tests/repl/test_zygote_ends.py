"""How workers and the processes that fork them end: killed, cancelled, with their owner, and without a trace."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import children_of, gone, parent_of
from workers import Worker

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ReplError
from rlm_kernel.repl import zygote
from rlm_kernel.repl.isolation import obtain
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.process import ZygoteLauncher

MB = 2**20
LARGE = "large" * MB

FORK = multiprocessing.get_context("fork")
in_a_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

Make = Callable[..., Worker]


def pids(worker: Worker) -> tuple[int, int]:
    """The worker's process and the one that forked it."""
    own, parent = worker.run("import os; print(os.getpid(), os.getppid())").stdout.split()
    return int(own), int(parent)


def base_of(worker: Worker) -> int:
    """The zygote that knows no context and that this worker comes from."""
    _, parent = pids(worker)
    return parent if parent_of(parent) == os.getpid() else parent_of(parent)


def wait_for(true: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


@pytest.mark.parametrize("context", ["small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("which", ["the worker", "the one that forked it", "the first one"])
def test_whichever_process_is_killed_the_block_says_so_and_the_next_one_runs(
    make: Make, context: str, which: str
) -> None:
    worker = make(context)
    own, parent = pids(worker)
    victim = {"the worker": own, "the one that forked it": parent, "the first one": base_of(worker)}[which]

    async def kill(batch: Any) -> Any:
        os.kill(victim, signal.SIGKILL)
        await asyncio.sleep(60)

    started = time.monotonic()
    result = worker.run("kept = 1\nprint('before', flush=True)\nllm_query('now')", kill)
    assert time.monotonic() - started < 3
    assert result.error is not None
    assert result.error.type == "WorkerLost"
    assert result.stdout == "before\n"
    assert "your variables are lost" in result.notes[0]
    assert worker.run("print(len(context), 'kept' in globals())").stdout == f"{len(context)} False\n"
    assert gone(own)


def test_a_zygote_that_is_killed_between_runs_is_replaced(make: Make) -> None:
    first = base_of(make("one"))
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    assert base_of(make("another")) != first


def test_a_start_that_is_cancelled_leaves_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any moment: while its context is loaded, while it is forked, while it settles."""
    base = base_of(make("first"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, files = children_of(base), open_files()
    chance = random.Random(7)
    for context in [*["small"] * 30, *[LARGE] * 10]:
        worker = Worker(context)
        opening = submit(worker.repl.open())
        time.sleep(chance.random() * 0.04)
        opening.cancel()
        worker.close()
        if worker.packed:
            worker.packed.close()
    wait_for(lambda: children_of(base) <= before)
    wait_for(lambda: open_files() <= files)
    wait_for(lambda: not list(tmp_path.glob("rlm-worker-*")))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_worker_that_is_dead_before_it_is_known_leaves_nothing() -> None:
    """Its birth and its death are heard in one go."""

    def born_and_dead(on_death: Callable[[int | None], None]) -> zygote.Born:
        pid = os.posix_spawn("/bin/true", ["true"], {})
        descriptor = os.pidfd_open(pid)
        on_death(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        return zygote.Born(number=0, pid=pid, gone=descriptor)

    class Stillborn:
        alive = True

        async def fork(self, order: Any, fds: Any, on_death: Callable[[int | None], None]) -> zygote.Born:
            return born_and_dead(on_death)

        def kill(self, number: int) -> None:
            raise AssertionError("it is dead, and its number may be another's")

    class Launcher(ZygoteLauncher):
        async def base(self) -> Any:
            return Stillborn()

    async def start() -> str:
        lost = asyncio.get_running_loop().create_future()
        hooks = Hooks(on_frame=lambda frame: None, on_lost=lost.set_result, flood=MB)
        process = await Launcher(obtain("worker")).start(hooks, None, seed=0)
        said = str(await lost)
        await process.close()
        return said

    submit(start()).result(10)
    before = open_files()
    assert submit(start()).result(10) == "it ended with exit code 0"
    wait_for(lambda: open_files() <= before)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("raise RuntimeError('not today')", r"exit code 1: RuntimeError: not today"),
        ("import os; os.abort()", r"exit code -6"),
    ],
)
def test_a_zygote_that_cannot_start_is_a_clear_error(
    make: Make, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.setattr(zygote, "_bases", {})
    monkeypatch.setattr(zygote, "BOOT", f"{command} # {{root}} {{fd}} {{parent}}")
    worker = make("text")
    for _ in range(2):
        with pytest.raises(ReplError, match=rf"the process that starts workers is gone \({said}\)"):
            submit(worker.repl.open()).result(20)


def test_an_interpreter_that_is_not_there_is_a_clear_error(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "_bases", {})
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ReplError, match=r"no worker can be started: .*No such file.*: '/nowhere/python'"):
        submit(make("text").repl.open()).result(20)


def test_a_system_that_has_no_more_processes_is_a_clear_error_for_who_still_waits() -> None:
    async def talk() -> str:
        loop, wrong = asyncio.get_running_loop(), list[Any]()
        loop.set_exception_handler(lambda loop, context: wrong.append(context))
        ours, theirs = zygote.control_pair()
        asked = zygote.Zygote(ours)
        cancelled, waits = (
            asyncio.ensure_future(asked.fork({"op": "open"}, [], lambda code: None)) for _ in range(2)
        )
        await asyncio.sleep(0)
        cancelled.cancel()
        for number in (0, 1):
            failed = {"op": "failed", "number": number, "message": "Resource temporarily unavailable"}
            theirs.send(json.dumps(failed).encode())
        with pytest.raises(ReplError) as caught:
            await waits
        asked.close()
        theirs.close()
        loop.set_exception_handler(None)
        assert not wrong
        return str(caught.value)

    assert submit(talk()).result(10) == "no worker can be started: Resource temporarily unavailable"


@in_a_fork
def test_a_process_that_the_user_forks_disturbs_nothing(make: Make) -> None:
    """And it can have runs of its own, from a zygote of its own."""
    worker = make(LARGE)
    before = pids(worker)
    queue: Any = FORK.SimpleQueue()
    fork = FORK.Process(target=run_in_a_fork, args=(queue,))
    fork.start()
    first, length, folder = queue.get()
    fork.join(20)
    assert fork.exitcode == 0
    assert length == "5\n"
    assert first not in (0, base_of(worker))
    wait_for(lambda: not Path(folder).exists())
    assert gone(first)
    assert pids(worker) == before


def run_in_a_fork(queue: Any) -> None:
    worker = Worker("small")
    folder = worker.run("import os; print(os.getcwd())").stdout.strip()
    queue.put((base_of(worker), worker.run("len(context)").stdout, folder))
    worker.close()
    wait_for(lambda: not Path(folder).exists())


@in_a_fork
def test_what_a_fork_of_the_user_still_holds_keeps_no_process_of_a_run(make: Make) -> None:
    """It inherits every socket of this process, so that closing one here does not end it."""
    worker = Worker(LARGE)
    own, holder = pids(worker)
    stop = FORK.Event()
    fork = FORK.Process(target=stop.wait)
    fork.start()
    try:
        worker.close()
        assert gone(own)
        assert gone(holder)
    finally:
        stop.set()
        fork.join(20)


OWNER = """
import json, os, sys, threading, time
sys.path[:] = {path!r}
from workers import Worker
from processes import parent_of
def main():
    worker = Worker("large" * 2**20)
    said = threading.Event()
    async def never(batch):
        import asyncio
        own = int(batch.requests[0].prompt)
        holder = parent_of(own)
        folder = os.readlink(f"/proc/{{own}}/cwd")
        print(json.dumps(dict(pids=[own, holder, parent_of(holder)], folder=folder)), flush=True)
        said.set()
        await asyncio.sleep(600)
    code = {code!r}
    {how}
if __name__ == "__main__":
    main()
"""
BLOCKS = {
    "waits": "import os; llm_query(str(os.getpid()))",
    "computes": "import os, threading\nthreading.Timer(0, llm_query, [str(os.getpid())]).start()\n7 ** 10 ** 9",
    "fights": "import os, threading\nthreading.Timer(0, llm_query, [str(os.getpid())]).start()\nwhile True:\n"
    "    try:\n        while True: pass\n    except BaseException: pass",
}


def owner(code: str, how: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A process that has a worker, which runs that code, and what it says of its processes."""
    text = OWNER.format(path=sys.path, code=code, how=how)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("code", BLOCKS.values(), ids=BLOCKS)
def test_a_second_after_its_owner_was_killed_nothing_is_alive(code: str) -> None:
    process, told = owner(code, "worker.run(code, never)")
    process.kill()
    process.communicate()
    assert all(gone(pid) for pid in told["pids"])


def test_the_end_of_the_interpreter_in_the_middle_of_a_block_is_clean_and_silent() -> None:
    how = (
        "from rlm_kernel.engine.thread import submit\n"
        "    submit(worker.repl.execute(code, name='<rlm:0.1 block 1>', serve=never))\n"
        "    said.wait(20)"
    )
    for _ in range(3):
        process, told = owner(BLOCKS["waits"], how)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "")
        assert all(gone(pid) for pid in told["pids"])
        assert not Path(told["folder"]).exists()
