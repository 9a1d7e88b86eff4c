"""Workers in namespaces of their own do all that other workers do, see less, and leave nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import test_worker
from broken import Broken
from processes import descendants_of, gone, parent_of
from scripts import ask, code
from test_worker import run  # noqa: F401 - a fixture
from workers import Worker

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ContextError
from rlm_kernel.repl import bwrap
from rlm_kernel.repl.base import SubcallBatch, SubcallResult

pytestmark = pytest.mark.skipif(bool(bwrap.offered()), reason=bwrap.offered())
LARGE = "large" * 2**20


@pytest.fixture
def make() -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def build(*args: Any, **options: Any) -> Worker:
        workers.append(Worker(*args, **{"isolation": "bwrap", **options}))
        return workers[-1]

    yield build
    for worker in workers:
        worker.close()


# All that holds for a worker holds for these; `make` above is what makes them here.
globals().update({name: test for name, test in vars(test_worker).items() if name.startswith("test_")})


def inner(pid: int) -> list[int]:
    """The numbers of that process: here, and in each namespace that it is in."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    return [int(number) for number in line.split()[1:]]


def outer(worker: Worker) -> int:
    """The number that the worker's process has here."""
    own = int(worker.run("import os; print(os.getpid())").stdout)
    first = {pid for pid in descendants_of(os.getpid()) if inner(pid)[1:] == [own]}
    (pid,) = {pid for pid in first if os.getsid(pid) == pid}
    return pid


def test_the_run_says_what_it_obtained() -> None:
    started = ask(code("FINAL(1)"), isolation="bwrap")[0].trace.started
    assert started is not None
    assert started.isolation == "bwrap"


def test_a_worker_is_in_namespaces_of_its_own(make: Callable[..., Worker]) -> None:
    pid = outer(make("text"))
    for kind in ("net", "pid", "mnt", "ipc", "uts"):
        theirs, ours = (Path(f"/proc/{each}/ns/{kind}").readlink() for each in (pid, "self"))
        assert theirs != ours, kind
    devices = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]


def test_a_worker_is_guarded_as_well(make: Callable[..., Worker]) -> None:
    worker = make("text")
    for attempt in (
        "import socket; socket.socket()",
        "import os; os.fork()",
        "import os; os.listdir('/')",
        "open('/proc/1/environ')",
    ):
        assert str(worker.run(attempt).error).startswith("PermissionError"), attempt


def test_a_file_of_the_user_does_not_even_exist(make: Callable[..., Worker], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("given")
    worker = make("text", readable=(str(tmp_path / "data"),))
    look = f"import os\nprint(os.path.exists({str(tmp_path / 'secret')!r}), os.path.exists('/etc/passwd'))"
    assert worker.run(look).stdout == "False False\n"
    assert worker.run(f"open({str(tmp_path / 'data' / 'file')!r}).read()").stdout == "'given'\n"
    assert "Error" in str(worker.run(f"open({str(tmp_path / 'data' / 'new')!r}, 'w')").error)


def test_a_large_context_is_loaded_once(make: Callable[..., Worker]) -> None:
    worker = make(LARGE)
    parents = "import os; print(os.getppid())"
    first = worker.run(parents).stdout
    other = worker.another()

    async def no_calls(batch: SubcallBatch) -> Sequence[SubcallResult]:
        raise AssertionError(batch)

    execute = other.execute(f"{parents}\nprint(len(context))", name="<rlm:0.1 block 1>", serve=no_calls)
    assert submit(execute).result(20).stdout == f"{first}{len(LARGE)}\n"
    submit(other.close()).result(10)


def test_a_context_that_cannot_be_rebuilt_is_a_clear_error(make: Callable[..., Worker]) -> None:
    with pytest.raises(ContextError, match=r"cannot be rebuilt .*: ValueError: not like this"):
        submit(make([Broken("raise ValueError('not like this')")]).repl.open()).result(20)


@pytest.mark.parametrize("context", ["small", LARGE], ids=["small", "large"])
def test_when_the_namespaces_end_the_block_says_so_and_the_next_one_runs(
    make: Callable[..., Worker], context: str
) -> None:
    worker = make(context)
    pid = outer(worker)
    first = pid
    while parent_of(first) != os.getpid():
        first = parent_of(first)

    async def kill(batch: SubcallBatch) -> Sequence[SubcallResult]:
        os.kill(first, signal.SIGKILL)
        await asyncio.sleep(60)
        return []

    result = worker.run("llm_query('now')", kill)
    assert result.error is not None
    assert result.error.type == "WorkerLost"
    assert gone(pid)
    assert worker.run("len(context)").stdout == f"{len(context)}\n"


@pytest.mark.parametrize("context", ["small", LARGE], ids=["small", "large"])
def test_nothing_is_left_of_a_run(context: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def once() -> set[int]:
        before = descendants_of(os.getpid())
        worker = Worker(context, isolation="bwrap")
        assert worker.run("1").stdout == "1\n"
        started = descendants_of(os.getpid()) - before
        worker.close()
        assert worker.packed is not None
        worker.packed.close()
        return started

    once()
    files = len(list(Path("/proc/self/fd").iterdir()))
    started = once()
    assert len(started) >= 3
    assert all(gone(pid) for pid in started)
    deadline = time.monotonic() + 5
    while list(tmp_path.glob("rlm-worker-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not list(tmp_path.glob("rlm-worker-*"))
    assert len(list(Path("/proc/self/fd").iterdir())) <= files


OWNER = """
import asyncio, os, sys
sys.path[:] = {path!r}
from workers import Worker
from processes import descendants_of
async def never(batch):
    print(*descendants_of(os.getpid()), flush=True)
    await asyncio.sleep(600)
Worker("large" * 2**20, isolation="bwrap").run("llm_query('now')", never)
"""


def test_a_second_after_its_owner_was_killed_nothing_is_alive() -> None:
    text = OWNER.format(path=sys.path)
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) >= 4
        process.kill()
    assert all(gone(pid) for pid in pids)
