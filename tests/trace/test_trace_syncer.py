"""What was written reaches the disk: at most once a second, at once where it matters, and never on the run's time."""

from __future__ import annotations

import contextvars
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from trace_examples import Story, nested

from rlm_kernel.trace import CallFinished, CallStarted, Event, ModelAsked, Recorder, RunFinished, Trace, load
from rlm_kernel.trace import syncer as syncing
from rlm_kernel.trace.syncer import Syncer, sync_file, syncer


class Disk:
    """A clock, and what was synced when."""

    def __init__(self) -> None:
        self.now = 100.0
        self.synced: list[float] = []
        self.error: OSError | None = None
        self.syncer = Syncer(sync=self.sync, clock=lambda: self.now, threaded=False)

    def sync(self, fd: int) -> None:
        assert os.fstat(fd).st_nlink >= 0
        self.synced.append(self.now)
        if self.error:
            raise self.error

    def after(self, seconds: float) -> float | None:
        """Time goes on, and the syncer looks what is due."""
        self.now += seconds
        return self.syncer.step()


@pytest.fixture
def disk() -> Disk:
    return Disk()


def opened(made: Recorder) -> int:
    """The descriptor of its file."""
    assert made._writer is not None
    return made._writer._fd


def started(call_id: str = "0.1.1") -> CallStarted:
    return CallStarted(call_id=call_id, kind="llm", depth=1, model="m", prompt="p")


def recorder(disk: Disk, path: Path, *, lazy: bool = False) -> Recorder:
    return Recorder(Trace(live=True), path, lazy=lazy, syncer=disk.syncer)


def test_a_stream_of_events_is_synced_once_a_second(disk: Disk, tmp_path: Path) -> None:
    record = recorder(disk, tmp_path / "run.rlm.jsonl").record
    for _ in range(100):
        record(started())
        disk.after(0.1)
    assert len(disk.synced) in (10, 11)
    assert all(later - sooner >= 1.0 for sooner, later in zip(disk.synced, disk.synced[1:], strict=False))


def test_it_says_when_it_is_due_next(disk: Disk, tmp_path: Path) -> None:
    record = recorder(disk, tmp_path / "run.rlm.jsonl").record
    assert disk.after(0) is None
    record(started())
    assert disk.after(0) is None
    record(started())
    assert disk.after(0.25) == pytest.approx(0.75)
    assert disk.after(0.75) is None
    assert disk.synced == [100.0, 101.0]


def begun() -> Event:
    return Story().trace.events[0]


MATTERS = {
    "the run's begin": begun(),
    "the answer": CallFinished(call_id="0", status="finished", answer="42"),
    "a limit that was reached": ModelAsked(call_id="0", turn=9, messages=(), last="All turns are used."),
}


@pytest.mark.parametrize("event", MATTERS.values(), ids=MATTERS)
def test_what_matters_is_synced_at_once(disk: Disk, tmp_path: Path, event: Event) -> None:
    record = recorder(disk, tmp_path / "run.rlm.jsonl").record
    record(started())
    disk.after(0)
    record(started())
    record(event)
    disk.after(0.01)
    assert disk.synced == [100.0, 100.01]


def test_the_end_of_the_run_is_synced_and_the_file_is_closed(disk: Disk, tmp_path: Path) -> None:
    made = recorder(disk, tmp_path / "run.rlm.jsonl")
    made.record(begun())
    disk.after(0)
    fd = opened(made)
    made.record(RunFinished(status="finished"))
    disk.after(0.01)
    assert disk.synced == [100.0, 100.01]
    assert disk.syncer.settle(0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_replay_is_synced_when_it_ends_and_not_before(disk: Disk, tmp_path: Path) -> None:
    record = recorder(disk, tmp_path / "run.rlm.jsonl", lazy=True).record
    for event in nested().events[:-1]:
        record(event)
        disk.after(5)
    assert disk.synced == []
    record(RunFinished(status="finished"))
    disk.after(0)
    assert len(disk.synced) == 1
    assert load(tmp_path / "run.rlm.jsonl").status == "finished"


def test_the_folder_is_synced_after_a_file_was_made_in_it(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    monkeypatch.setattr(syncing, "sync_folder", folders.append)
    record = recorder(disk, tmp_path / "a" / "run.rlm.jsonl").record
    for _ in range(3):
        record(started())
        disk.after(1)
    assert folders == [tmp_path / "a"]


def test_a_disk_that_fails_to_sync_is_told(disk: Disk, tmp_path: Path) -> None:
    made = recorder(disk, tmp_path / "run.rlm.jsonl")
    disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
    made.record(started())
    disk.after(0)
    assert made.trace.warning.startswith("the trace is not saved: Input/output error (")
    made.record(started())
    assert disk.after(10) is None
    made.record(RunFinished(status="finished"))
    disk.after(0)
    assert len(made.trace.events) == 3


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_file_that_is_taken_away_is_told_while_the_run_goes_on(
    disk: Disk, tmp_path: Path, how: str
) -> None:
    path = tmp_path / "run.rlm.jsonl"
    made = recorder(disk, path)
    made.record(started())
    disk.after(0)
    assert made.trace.warning == ""
    if how == "moved":
        path.rename(tmp_path / "other.rlm.jsonl")
    else:
        path.unlink()
    if how == "replaced":
        path.write_text("another's")
    made.record(started())
    disk.after(1)
    assert made.trace.warning.startswith("the trace is not saved: its file was deleted or moved (")


def test_two_files_do_not_wait_for_each_other(disk: Disk, tmp_path: Path) -> None:
    one, other = recorder(disk, tmp_path / "one.rlm.jsonl"), recorder(disk, tmp_path / "other.rlm.jsonl")
    one.record(started())
    disk.after(0)
    other.record(started())
    disk.after(0.5)
    one.record(started())
    disk.after(0.25)
    assert disk.synced == [100.0, 100.5]
    one.close()
    disk.after(0)
    assert disk.synced == [100.0, 100.5, 100.75]


# On its thread


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_a_disk_that_hangs_holds_up_no_run(tmp_path: Path, gate: threading.Event) -> None:
    hangs, threads = threading.Event(), set[str]()

    def sync(fd: int) -> None:
        threads.add(threading.current_thread().name)
        hangs.set()
        assert gate.wait(30)

    slow = Syncer(sync=sync)
    trace = Trace(live=True)
    made = Recorder(trace, tmp_path / "run.rlm.jsonl", syncer=slow)
    made.record(begun())
    assert hangs.wait(30)
    for _ in range(1000):
        made.record(started())
    made.record(RunFinished(status="finished"))
    assert not trace.live
    assert len(load(tmp_path / "run.rlm.jsonl").events) == 1002
    assert not slow.settle(0.01)
    gate.set()
    assert slow.settle(30)
    assert threads == {"rlm-sync"}


def test_its_thread_runs_in_the_context_of_who_started_it_and_ends_with_the_last_file(tmp_path: Path) -> None:
    cell = contextvars.ContextVar[str]("cell", default="")
    seen = list[str]()

    def sync(fd: int) -> None:
        seen.append(cell.get())
        sync_file(fd)

    own = Syncer(sync=sync)
    cell.set("cell 3")
    made = Recorder(Trace(live=True), tmp_path / "run.rlm.jsonl", syncer=own)
    made.record(begun())
    thread = own._thread
    assert thread is not None
    made.record(RunFinished(status="finished"))
    thread.join(30)
    assert not thread.is_alive()
    assert set(seen) == {"cell 3"}


def test_a_process_has_one(tmp_path: Path) -> None:
    assert syncer() is syncer()


def test_a_system_without_fdatasync_syncs_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(os, "fsync", called.append)
    sync_file(7)
    assert called == [7]


def test_without_another_thread_the_run_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    made = Recorder(Trace(live=True), tmp_path / "run.rlm.jsonl", syncer=Syncer())
    fd = opened(made)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        made.record(begun())
        made.record(RunFinished(status="finished"))
    assert made.trace.warning.startswith("the trace is not saved: can't start new thread")
    assert len(made.trace.events) == 2
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
