"""Workers that a zygote forks: what they share, and that nothing else is shared."""

from __future__ import annotations

import asyncio
import os
import pickle
import stat
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from broken import Broken
from processes import parent_of
from workers import Worker

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ContextError, ReplError
from rlm_kernel.repl import process
from rlm_kernel.repl.base import BlockResult, Repl, SubcallBatch, SubcallResult
from rlm_kernel.repl.pack import Packed

MB = 2**20
PIDS = "import os; print(os.getpid(), os.getppid())"

Make = Callable[..., Worker]


@pytest.fixture
def preload_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every context loaded once, however small it is."""
    monkeypatch.setattr(process, "PRELOAD_BYTES", 0)


async def no_calls(batch: SubcallBatch) -> Sequence[SubcallResult]:
    raise AssertionError(f"nothing was to be asked, and {batch} was")


def run(repl: Repl, code: str) -> BlockResult:
    return submit(repl.execute(code, name="<rlm:0.1 block 1>", serve=no_calls)).result(60)


def pids(worker: Worker | Repl) -> tuple[int, int]:
    """The worker's process and the one that forked it."""
    ran = worker.run(PIDS) if isinstance(worker, Worker) else run(worker, PIDS)
    own, parent = map(int, ran.stdout.split())
    return own, parent


def private_bytes(pid: int) -> int:
    """The memory that the process shares with no other one."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def close(*repls: Repl) -> None:
    for repl in repls:
        submit(repl.close()).result(10)


def test_one_zygote_serves_all_runs_of_a_process(make: Make) -> None:
    (_, first), (_, second) = pids(make("one run")), pids(make("another run"))
    assert first == second
    assert parent_of(first) == os.getpid()


def test_a_large_context_is_loaded_once_and_workers_share_its_memory(make: Make) -> None:
    worker = make("0123456789" * 5 * MB)
    others = [worker.another() for _ in range(19)]
    submit(together(others)).result(60)
    everyone = [pids(each) for each in (worker, *others)]
    (holder,) = {parent for _, parent in everyone}
    assert os.getpid() not in (holder, parent_of(holder))
    assert {run(repl, "len(context), context[-1]").stdout for repl in others} == {"(52428800, '9')\n"}
    assert max(private_bytes(pid) for pid, _ in everyone) < 10 * MB
    close(*others)


async def together(repls: Sequence[Repl]) -> None:
    await asyncio.gather(*(repl.open() for repl in repls))


LOADED_ONCE = {
    "text": "x" * 100,
    "bytes": b"x" * 100,
    "plain containers": {"a": [1, 2.5, None]},
    "a pickle": [Decimal("1.5")],
    "an array": np.arange(1000.0),
    "a table": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
}


@pytest.mark.usefixtures("preload_all")
@pytest.mark.parametrize("value", LOADED_ONCE.values(), ids=LOADED_ONCE)
def test_what_can_be_forked_is_loaded_once(make: Make, value: Any) -> None:
    worker = make(value)
    _, holder = pids(worker)
    assert parent_of(holder) != os.getpid()
    assert worker.run("import pickle; print(pickle.dumps(context).hex())").error is None
    sent = bytes.fromhex(worker.run("print(pickle.dumps(context).hex())").stdout)
    assert str(pickle.loads(sent)) == str(value)


@pytest.mark.parametrize("value", ["x" * 100, b"x", [1, 2], None], ids=repr)
def test_what_is_small_and_plain_is_loaded_by_each_worker(make: Make, value: Any) -> None:
    worker = make(value)
    _, base = pids(worker)
    assert parent_of(base) == os.getpid()
    assert worker.run("print(repr(context))").stdout == f"{value!r}\n"


def test_a_table_that_keeps_threads_is_loaded_by_each_worker(make: Make) -> None:
    worker = make(pl.DataFrame({"a": [1, 2, 3]}))
    other = worker.another()
    for repl in (worker.repl, other):
        _, base = pids(repl)
        assert parent_of(base) == os.getpid()
        assert run(repl, "context.group_by('a').len().height, context['a'].sum()").stdout == "(3, 6)\n"
    close(other)


STARTER = """
import threading
stopped = threading.Event()
threading.Thread(target=stopped.wait, daemon=True).start()
class Thing:
    def threads(self):
        return [thread.name for thread in threading.enumerate() if thread.daemon]
"""


def test_a_context_whose_module_starts_threads_is_loaded_by_each_worker(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "starter.py").write_text(STARTER)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    import starter  # type: ignore[import-not-found]

    try:
        worker = make([starter.Thing()])
        _, base = pids(worker)
        assert parent_of(base) == os.getpid()
        assert "Thread-1 (wait)" in worker.run("context[0].threads()").stdout
    finally:
        starter.stopped.set()
        del sys.modules["starter"]


@pytest.mark.usefixtures("preload_all")
@pytest.mark.parametrize(
    ("value", "change"),
    [([1, 2], "context.clear()"), ({"a": 1}, "context['b'] = 2"), (np.arange(3), "context[:] = 7")],
    ids=["list", "dict", "array"],
)
def test_what_one_worker_does_to_the_context_the_next_does_not_see(
    make: Make, value: Any, change: str
) -> None:
    worker = make(value)
    assert worker.run(f"{change}\nprint(context)").stdout != f"{value}\n"
    other = worker.another()
    assert run(other, "print(context)").stdout == f"{value}\n"
    assert worker.run("import os; os._exit(1)").error is not None
    assert worker.run("print(context)").stdout == f"{value}\n"
    close(other)


HOSTILE = """
class Hostile:
    def __reduce__(self):
        return open, ({path!r}, "w")
rlm_query("What?", context=Hostile())
"""


@pytest.mark.parametrize(("isolation", "written"), [("strict", False), ("worker", True)])
def test_a_context_that_code_made_is_rebuilt_behind_the_guard(
    make: Make, tmp_path: Path, isolation: str, written: bool
) -> None:
    """Its pickle may hold anything. (Without a guard it can do what it says.)"""
    target = tmp_path / "written by a pickle"
    made: list[Packed] = []

    async def take(batch: SubcallBatch) -> Sequence[SubcallResult]:
        made.extend(request.packed for request in batch.requests if request.packed)
        return [SubcallResult(answer="") for _ in batch.requests]

    worker = make("the root's", isolation=isolation)
    assert worker.run(HOSTILE.format(path=str(target)), take).error is None
    (packed,) = made
    assert packed.route == "pickle"
    assert not target.exists()
    child = worker.another(packed)
    if written:
        submit(child.open()).result(20)
    else:
        with pytest.raises(ContextError, match="cannot be rebuilt in the child namespace: PermissionError"):
            submit(child.open()).result(20)
    assert target.exists() == written
    close(child)
    packed.close()


def test_a_context_that_cannot_be_rebuilt_is_a_clear_error_each_time(make: Make) -> None:
    worker = make([Broken("raise ValueError('not like this')")])
    for repl in (worker.repl, worker.another()):
        with pytest.raises(ContextError, match=r"cannot be rebuilt .*: ValueError: not like this") as caught:
            submit(repl.open()).result(20)
        assert caught.value.type_name == "list"


def test_a_context_that_ends_the_process_that_loads_it_is_an_error_too(make: Make) -> None:
    worker = make([Broken("import os; os._exit(3)")])
    with pytest.raises(ReplError, match=r"exit code 3"):
        submit(worker.repl.open()).result(20)


def test_no_worker_has_a_file_of_another_one_or_of_its_zygote(make: Make) -> None:
    workers = [make("small"), make("large" * MB), make("large" * MB)]
    first = [pids(worker)[0] for worker in workers]
    sibling = workers[1].another()
    for pid in (*first, pids(sibling)[0]):
        held = files_of(pid)
        assert held.pop(0) == "/dev/null"
        kinds = sorted(name.partition(":")[0] for name in held.values())
        # Its streams, which it has twice to put them back, and its line to the engine.
        assert set(kinds) == {"pipe", "socket", "/dev/null"}
        assert kinds.count("socket") == 1
    own = [set(files_of(pid).values()) - {"/dev/null"} for pid in (*first, pids(sibling)[0])]
    assert len(set.union(*own)) == sum(map(len, own)), "a pipe or socket is held by two"
    close(sibling)


def files_of(pid: int) -> dict[int, str]:
    """What that process has open, by descriptor."""
    return {int(link.name): str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}


def test_a_worker_leads_a_session_and_a_group_of_its_own(make: Make) -> None:
    for context in ("small", "large" * MB):
        pid, _ = pids(make(context))
        assert os.getsid(pid) == os.getpgid(pid) == pid


def test_a_workers_folder_is_its_owners_alone(make: Make) -> None:
    worker = make("text")
    folder = worker.run("import os; print(os.getcwd())").stdout.strip()
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
