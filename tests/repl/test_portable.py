"""The workers of systems without a zygote do all that other workers do, also where the system can do little for them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import test_worker
from test_worker import run  # noqa: F401 - a fixture
from workers import Worker

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ReplError
from rlm_kernel.repl.base import BlockResult
from rlm_kernel.repl.guard import guard
from rlm_kernel.repl.pipes import Reader, Tap
from rlm_kernel.repl.portable import PortableLauncher
from rlm_kernel.repl.system import Posix
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.worker import WorkerRepl

MB = 2**20


class Bare(Posix):
    """As macOS and Windows are: no SIGINT for one process, no limits that a process sets itself."""

    signals = False
    limits = False


class PortableWorker(Worker):
    """A worker that is an interpreter of its own, on that system and under those terms."""

    def __init__(self, *args: Any, system: Posix, terms: Terms | None = None, **options: Any) -> None:
        self._system, self._own_terms = system, terms
        super().__init__(*args, **options)

    async def _make(self, terms: Terms, packed: Any, block_seconds: float, seed: int) -> WorkerRepl:
        self._repls = PortableLauncher(self._own_terms or terms, system=self._system)
        return WorkerRepl(self._repls, packed, block_seconds=block_seconds, seed=seed)


@pytest.fixture(params=[Posix, Bare])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def build(*args: Any, **options: Any) -> Worker:
        workers.append(PortableWorker(*args, **{"system": request.param(), **options}))
        return workers[-1]

    yield build
    for worker in workers:
        worker.close()


# All that holds for a worker holds for these; `make` above is what makes them here.
globals().update({name: test for name, test in vars(test_worker).items() if name.startswith("test_")})


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float) -> bool:
    """Whether that process is no more, or is not in time."""
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


OWNER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_portable import Bare, PortableWorker
worker = PortableWorker(system=Bare())
async def never(batch):
    print(batch.requests[0].prompt, flush=True)
    import asyncio
    await asyncio.sleep(600)
worker.run(sys.argv[2], never)
"""


@pytest.mark.parametrize(
    "then", ["llm_query(pid)", "threading.Timer(0.1, llm_query, [pid]).start()\nwhile True: pass"]
)
def test_a_worker_ends_with_its_owner(then: str) -> None:
    code = f"import os, threading\npid = str(os.getpid())\n{then}"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(Path(__file__).parent), code], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())
    assert alive(pid)
    owner.kill()
    owner.wait()
    assert gone(pid, 1)


def test_memory_that_a_worker_cannot_limit_itself_is_watched() -> None:
    worker = PortableWorker("text", system=Bare(), terms=Terms(memory_bytes=100 * MB))
    try:
        result = worker.run("held = []\nwhile True: held.append(bytearray(b'x' * 1_000_000))")
        assert "of memory, more than it may have" in str(result.error)
        assert worker.run("len(bytearray(b'x' * 50_000_000)), context").stdout == "(50000000, 'text')\n"
    finally:
        worker.close()


def test_memory_that_a_worker_limits_itself_is_an_error_of_the_block() -> None:
    worker = PortableWorker(system=Posix(), terms=Terms(memory_bytes=100 * MB))
    try:
        result = worker.run("kept = 1\nheld = []\nwhile True: held.append(bytearray(b'x' * 1_000_000))")
        assert result.error is not None and result.error.type == "MemoryError"
        assert worker.run("kept").stdout == "1\n"
    finally:
        worker.close()


@pytest.mark.skipif(bool(guard.offered()), reason=guard.offered())
def test_a_worker_of_its_own_can_be_guarded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary")
    worker = PortableWorker(["text"], system=Posix(), terms=Terms(isolation="guarded", guard=True))
    try:
        assert worker.run("context").stdout == "['text']\n"
        assert "PermissionError" in str(worker.run(f"open({str(secret)!r}).read()").error)
        assert worker.run("open('own', 'w').write('x'); open('own').read()").stdout == "'x'\n"
    finally:
        worker.close()


def test_what_a_worker_said_before_it_failed_to_start_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boot = "raise RuntimeError('no such thing') # {root} {up}"
    monkeypatch.setattr("rlm_kernel.repl.portable.BOOT", boot)
    worker = PortableWorker(system=Posix())
    with pytest.raises(ReplError, match="before it was ready: RuntimeError: no such thing"):
        submit(worker.repl.open()).result(20)
    worker.close()


def test_an_interpreter_that_is_not_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    worker = PortableWorker(system=Posix())
    with pytest.raises(ReplError, match=r"no worker can be started: .*/nowhere/python"):
        submit(worker.repl.open()).result(20)
    worker.close()


def test_nothing_of_a_hundred_workers_is_left_in_this_process() -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    def once() -> BlockResult:
        worker = PortableWorker("text", system=Bare())
        result = worker.run("1")
        worker.close()
        return result

    once()
    before = held()
    for _ in range(100):
        assert once().stdout == "1\n"
    deadline = time.monotonic() + 5
    while held() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held() <= before


def test_a_system_without_waitid_still_ends_all_that_a_worker_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "waitid")
    worker = PortableWorker(system=Posix(), isolation="worker")  # a guarded one starts no process
    try:
        code = "import os, subprocess\nprint(subprocess.Popen(['/bin/sleep', '60']).pid, flush=True)\nos._exit(3)"
        result = worker.run(code)
        assert "exit code 3" in str(result.error)
        assert gone(int(result.stdout), 3)
    finally:
        worker.close()


class TestPipes:
    def test_what_was_written_before_a_mark_is_taken_before_it_is_seen(self) -> None:
        taken: list[bytes] = []
        reader = Reader(taken.append, "test")
        for number in range(200):
            os.write(reader.write_fd, str(number).encode() * 300)
            assert reader.flush()
            assert b"".join(taken) == str(number).encode() * 300
            taken.clear()
        reader.stop()

    def test_a_mark_that_is_stolen_costs_a_moment_and_no_more(self) -> None:
        taken: list[bytes] = []
        blocked = threading.Event()

        def take(data: bytes) -> None:
            taken.append(data)
            blocked.wait()

        reader = Reader(take, "test")
        os.write(reader.write_fd, b"one")
        assert not reader.flush(0.05)
        blocked.set()
        reader.stop()
        assert taken[0] == b"one"

    def test_a_stopped_reader_is_no_more_whoever_holds_its_pipe(self) -> None:
        reader = Reader(lambda data: None, "held by another")
        other = os.dup(reader.write_fd)
        reader.stop()
        deadline = time.monotonic() + 5
        while any(thread.name == "held by another" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(BrokenPipeError):
            os.write(other, b"x")
        os.close(other)

    def test_a_pipe_that_was_made_not_to_block_is_still_read_whole(self) -> None:
        tap = Tap("test", lambda: None, 50 * MB)
        os.set_blocking(tap.write_fd, False)
        for _ in range(50):
            tap.renew()
            os.write(tap.write_fd, b"x" * 4000)
            tap.read_all()
            assert tap.text()[1] == 4000
        tap.stop()
