"""Workers in kernels that jupyter_client starts: here from a kernelspec of this machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from workers import Worker, echo

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ConfigError, ContextError, ProtocolError, ReplError
from rlm_kernel.repl import remote, tunnel
from rlm_kernel.repl.base import SubcallBatch, SubcallResult
from rlm_kernel.repl.bundle import package
from rlm_kernel.repl.guard import guard
from rlm_kernel.repl.pack import pack_context
from rlm_kernel.repl.remote import MAX_TOLD, KernelLauncher, checked, told
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.worker import WorkerRepl
from rlm_kernel.trace import ErrorInfo

SPECS = {
    "far": (sys.executable, "python"),
    "broken": ("/bin/false", "python"),
    "julia": ("/bin/false", "julia"),
}


@pytest.fixture(scope="module", autouse=True)
def specs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which Jupyter finds the kernels of these tests."""
    folder = tmp_path_factory.mktemp("jupyter")
    for name, (program, language) in SPECS.items():
        spec = folder / "kernels" / name
        spec.mkdir(parents=True)
        argv = [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        described = {"argv": argv, "display_name": name, "language": language}
        metadata = {"supported_encryption": ["curve"]}
        (spec / "kernel.json").write_text(json.dumps({**described, "metadata": metadata}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.setenv("OPENAI_API_KEY", "sk-canary")
        yield folder


class FarWorker(Worker):
    """A worker in a kernel of its own."""

    async def _make(self, terms: Terms, packed: Any, block_seconds: float, seed: int) -> WorkerRepl:
        self._repls = KernelLauncher("far", terms=terms)
        return WorkerRepl(self._repls, packed, block_seconds=block_seconds, seed=seed)


@pytest.fixture
def make() -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def build(*args: Any, **options: Any) -> Worker:
        workers.append(FarWorker(*args, **options))
        return workers[-1]

    yield build
    for worker in workers:
        worker.close()


@pytest.fixture(scope="module")
def far() -> Iterator[Worker]:
    """A worker for tests that leave it as it was."""
    worker = FarWorker({"a": "hello"})
    yield worker
    worker.close()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def line_of(worker: Worker) -> list[int]:
    """The worker, its bridge and its kernel."""
    result = worker.run("import os; print(os.getpid())")
    assert result.error is None, result.error
    pid = int(result.stdout)
    return [pid, parent(pid), parent(parent(pid))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: Sequence[int], seconds: float) -> bool:
    """Whether these processes are no more, in time."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def kernels() -> set[int]:
    """The kernels that this process has."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False)
    return {int(pid) for pid in found.stdout.split() if b"ipykernel_launcher" in _command(int(pid))}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_blocks_run_and_variables_stay(far: Worker) -> None:
    assert far.run("kept = len(context)\nprint('hi ☃'); context").stdout == "hi ☃\n{'a': 'hello'}\n"
    result = far.run("import sys\nprint('wrong', file=sys.stderr)\nother = kept + 1\nother")
    assert (result.stdout, result.stderr) == ("2\n", "wrong\n")
    assert [variable.name for variable in result.variables.added] == ["other"]
    assert submit(far.repl.values(["kept", "other"])).result(20)["other"] == 2


def test_blocks_that_write_the_same_are_both_heard(far: Worker) -> None:
    assert [far.run("print('again')").stdout for _ in range(3)] == ["again\n"] * 3


def test_an_error_is_the_blocks(far: Worker) -> None:
    result = far.run("1 / 0")
    assert result.error is not None
    assert result.error.type == "ZeroDivisionError"
    assert 'block 1>", line 1' in result.error.traceback


def test_every_kind_of_sub_call_gets_its_answer(far: Worker) -> None:
    seen: list[SubcallBatch] = []

    async def note(batch: SubcallBatch) -> Sequence[SubcallResult]:
        seen.append(batch)
        return await echo(batch)

    code = "print(llm_query('a'), llm_query_batched(['b', 'c']), rlm_query('d', context=['x' * 3_000_000]), rlm_query('e', context=context))"
    assert far.run(code, note).stdout == "<a> ['<b>', '<c>'] <d> <e>\n"
    own, inherited = (batch.requests[0] for batch in seen[2:])
    assert own.packed is not None and own.packed.size > 3_000_000
    own.packed.close()
    assert inherited.inherit


def test_what_a_block_shows_comes_along(far: Worker) -> None:
    result = far.run("import matplotlib.pyplot as plt\nplt.plot([1, 2, 1]);")
    assert [kind for output in result.outputs for kind in output.data if kind == "image/png"] == ["image/png"]


def test_a_block_over_its_time_is_interrupted_and_keeps_its_variables(make: Callable[..., Worker]) -> None:
    worker = make(block_seconds=1)
    worker.run("stays = 7")
    started = time.monotonic()
    result = worker.run("import time\ntime.sleep(60)")
    assert time.monotonic() - started < 4
    assert result.error is not None and result.error.type == "TimeoutError"
    assert worker.run("stays").stdout == "7\n"


def test_a_stopped_block_says_what_it_wrote(far: Worker) -> None:
    async def stop(batch: SubcallBatch) -> Sequence[SubcallResult]:
        far.repl.stop(ErrorInfo(type="Interrupted", message="enough"))
        await asyncio.sleep(600)
        return []

    result = far.run("print('before')\nllm_query('x')", stop)
    assert result.stdout == "before\n"
    assert result.error is not None
    assert result.error.message == "enough"


def test_a_running_block_is_followed(far: Worker) -> None:
    async def look(batch: SubcallBatch) -> Sequence[SubcallResult]:
        for _ in range(400):
            if far.repl.partial().stdout == "so far\n":
                return await echo(batch)
            await asyncio.sleep(0.05)
        return []

    assert far.run("print('so far')\nllm_query('x')", look).stdout == "so far\n'<x>'\n"


def test_what_goes_over_a_kernels_ports_is_encrypted(far: Worker) -> None:
    command = _command(line_of(far)[-1]).split(b"\0")
    connection = json.loads(Path(os.fsdecode(command[command.index(b"-f") + 1])).read_text())
    assert connection["curve_publickey"]


def test_neither_the_kernel_nor_the_worker_has_the_users_environment(far: Worker) -> None:
    for pid in line_of(far):
        assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "canary" not in far.run("import os; print(dict(os.environ))").stdout


@pytest.mark.skipif(bool(guard.offered()), reason=guard.offered())
def test_a_worker_is_guarded_where_its_machine_offers_it(far: Worker, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    assert "PermissionError" in str(far.run(f"open({str(tmp_path / 'secret')!r}).read()").error)
    assert "PermissionError" in str(far.run("import socket; socket.socket()").error)


def test_the_machine_gets_this_very_package_and_is_left_clean(make: Callable[..., Worker]) -> None:
    worker = make("text")
    home = Path(worker.run("import rlm_kernel; print(rlm_kernel.__file__)").stdout.strip())
    assert home.parent.parent.name.startswith("rlm-kernel-")
    pids, folder = line_of(worker), home.parent.parent
    worker.close()
    assert all_gone(pids, 3)
    deadline = time.monotonic() + 3
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not folder.exists()


def test_a_large_context_arrives_as_it_is(make: Callable[..., Worker]) -> None:
    text = "".join(f"{number:09d}\n" for number in range(2_000_000))
    worker = make(text)
    code = "import hashlib; print(len(context), hashlib.sha256(context.encode()).hexdigest())"
    assert worker.run(code).stdout == f"{len(text)} {hashlib.sha256(text.encode()).hexdigest()}\n"


def test_a_frame_arrives_as_one(make: Callable[..., Worker]) -> None:
    import pandas as pd

    frame = pd.DataFrame({"number": range(100_000), "text": [f"line {n}" for n in range(100_000)]})
    code = "print(type(context).__name__, context.number.sum(), context.text.iloc[-1])"
    assert make(frame).run(code).stdout == "DataFrame 4999950000 line 99999\n"


def test_a_context_that_cannot_be_rebuilt_there_is_a_clear_error(make: Callable[..., Worker]) -> None:
    worker = make([_Own()])
    with pytest.raises(ContextError, match="cannot be rebuilt in the child namespace"):
        submit(worker.repl.open()).result(60)


class _Own:
    """A class that only this test module knows."""


def test_a_flood_of_output_ends_the_block_and_the_next_one_works(make: Callable[..., Worker]) -> None:
    worker = make("text")
    result = worker.run("while True: print('x' * 10_000)")
    assert "more than 50,000,000 bytes of output" in str(result.error)
    assert result.stdout.startswith("xxx") and "bytes left out" in result.stdout
    assert worker.run("context").stdout == "'text'\n"


def test_a_kernel_that_is_killed_is_noticed_and_replaced(make: Callable[..., Worker]) -> None:
    worker = make("text")
    pids = line_of(worker)

    async def kill(batch: SubcallBatch) -> Sequence[SubcallResult]:
        os.kill(pids[-1], signal.SIGKILL)
        await asyncio.sleep(600)
        return []

    started = time.monotonic()
    result = worker.run("print('before')\nllm_query('x')", kill)
    assert time.monotonic() - started < 5
    assert result.error is not None and result.error.type == "WorkerLost"
    assert "kernel is gone" in result.error.message
    assert all_gone(pids, 3)
    assert worker.run("context").stdout == "'text'\n"


def test_a_bridge_that_is_killed_is_noticed(make: Callable[..., Worker]) -> None:
    worker = make()
    pids = line_of(worker)

    async def kill(batch: SubcallBatch) -> Sequence[SubcallResult]:
        os.kill(pids[1], signal.SIGKILL)
        await asyncio.sleep(600)
        return []

    result = worker.run("llm_query('x')", kill)
    assert "ended with exit code -9" in str(result.error)
    assert all_gone(pids, 3)


def test_a_kernel_that_answers_nothing_does_not_hold_a_block(make: Callable[..., Worker]) -> None:
    worker = make("text", block_seconds=1)
    pids = line_of(worker)
    os.kill(pids[-1], signal.SIGSTOP)
    started = time.monotonic()
    result = worker.run("1 + 1")
    assert time.monotonic() - started < 6
    assert result.error is not None and result.error.type == "TimeoutError"
    assert all_gone(pids, 3)


def test_silence_is_taken_for_an_end(make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PING_SECONDS", 0.2)
    monkeypatch.setattr(remote, "SILENCE_SECONDS", 3.0)
    worker = make("text")
    pids = line_of(worker)
    os.kill(pids[-1], signal.SIGSTOP)
    result = worker.run("1 + 1")
    assert "has not answered for 3 s" in str(result.error)
    assert all_gone(pids, 3)


OWNER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from test_remote import FarWorker
worker = FarWorker()
async def never(batch):
    print(batch.requests[0].prompt, flush=True)
    import asyncio
    await asyncio.sleep(600)
worker.run("import os; llm_query(str(os.getpid()))", never)
"""


def test_no_kernel_outlives_its_owner() -> None:
    command = [sys.executable, "-c", OWNER, str(Path(__file__).parent)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())
    pids = [pid, parent(pid), parent(parent(pid))]
    assert all(map(alive, pids))
    owner.kill()
    owner.wait()
    assert all_gone(pids, 2)


def test_a_kernel_that_hears_nothing_any_more_ends_itself(
    make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(remote, "PING_SECONDS", 600.0)
    worker = make()
    pids = line_of(worker)
    assert all_gone(pids, 5)
    assert "kernel is gone" in str(worker.run("1").error)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0])
def test_a_start_that_is_stopped_leaves_no_kernel(far: Worker, seconds: float) -> None:
    assert line_of(far)[-1] in kernels()
    before = kernels()

    async def start_and_stop() -> None:
        launcher = KernelLauncher("far", terms=Terms())
        repl = WorkerRepl(launcher, pack_context("text"), block_seconds=5)
        opening = asyncio.create_task(repl.open())
        await asyncio.wait((opening,), timeout=seconds)
        opening.cancel()
        await asyncio.wait((opening,))
        await repl.close()
        await launcher.close()

    submit(start_and_stop()).result(30)
    assert all_gone(sorted(kernels() - before), 3)


def test_a_kernel_that_is_not_installed_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"there is no kernel 'near'; installed for Python are: .*far"):
        KernelLauncher("near", terms=Terms())
    with pytest.raises(ConfigError, match="the kernel 'julia' is not for Python"):
        KernelLauncher("julia", terms=Terms())


def test_a_kernel_with_an_old_python_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "OLDEST_PYTHON", (9, 9))
    before = kernels()
    worker = FarWorker()
    with pytest.raises(ConfigError, match=r"'far' runs Python 3\.\d+\.\d+, and workers need 9\.9 or newer"):
        submit(worker.repl.open()).result(60)
    worker.close()
    assert all_gone(sorted(kernels() - before), 3)


def test_a_kernel_that_does_not_start_is_a_clear_error() -> None:
    async def start() -> None:
        launcher = KernelLauncher("broken", terms=Terms())
        try:
            await WorkerRepl(launcher, None, block_seconds=5).open()
        finally:
            await launcher.close()

    with pytest.raises(ReplError, match="the kernel 'broken' cannot be started"):
        submit(start()).result(60)


def test_a_kernel_finds_what_it_needs_to_start_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KERNEL_USERNAME", "JUPYTER_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_API_KEY", "LC_ALL"):
        monkeypatch.setenv(name, "value")
    found = tunnel.environment()
    assert {"PATH", "KERNEL_USERNAME", "LC_ALL", "JUPYTER_PATH"} <= set(found)
    assert {"JUPYTER_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_API_KEY", "OPENAI_API_KEY"} & set(found) == set()


def test_the_package_that_is_sent_is_small_and_the_same_each_time() -> None:
    assert len(package()) < 500_000
    assert package() is package()


@pytest.mark.parametrize("frame", [None, [], {}, {"op": 3}])
def test_a_frame_that_is_none_is_refused(frame: object) -> None:
    with pytest.raises(ProtocolError):
        checked(frame)


@pytest.mark.parametrize(
    "said", [None, "text", ["text"], [1, 2], ["text", "2"], ["text", 2, 3], ["x" * (MAX_TOLD + 1), 3]]
)
def test_what_is_told_of_an_output_is_a_text_and_its_length(said: object) -> None:
    assert told(["text", 4]) == ("text", 4)
    with pytest.raises(ProtocolError):
        told(said)
