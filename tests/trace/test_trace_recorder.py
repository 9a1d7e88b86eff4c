"""The recorder: stamps, keeps, writes, and goes on when the disk does not."""

import errno
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from trace_examples import STORIES, Story, one_call, ticks

from rlm_kernel.trace import CallStarted, Recorder, RunFinished, Trace, load, save

LATER = "It is still in memory: run.save('…') writes it elsewhere."


def started(call_id: str = "0") -> CallStarted:
    return CallStarted(call_id=call_id, kind="rlm", depth=0, model="m", prompt="p")


@pytest.mark.parametrize("name", STORIES)
def test_events_are_numbered_without_gaps_and_time_only_goes_on(name: str) -> None:
    events = STORIES[name](None).events
    assert [event.seq for event in events] == list(range(len(events)))
    assert all(one.t < next_one.t for one, next_one in pairwise(events))


def test_time_counts_from_when_the_recorder_was_made() -> None:
    trace = Trace(live=True)
    recorder = Recorder(trace, None, clock=iter([1000.0, 1000.25, 1002.1234567]).__next__)
    recorder.record(started())
    recorder.record(started("0.1.1"))
    assert [event.t for event in trace.events] == [0.25, 2.123457]


def test_what_the_maker_of_an_event_put_there_does_not_count() -> None:
    trace = Trace(live=True)
    event = CallStarted(seq=99, t=99.0, call_id="0", kind="rlm", depth=0, model="m", prompt="p")
    Recorder(trace, None, clock=ticks()).record(event)
    assert (trace.events[0].seq, trace.events[0].t) == (0, 0.1)


def test_the_end_of_the_run_closes_the_trace() -> None:
    trace = Trace(live=True)
    recorder = Recorder(trace, None, clock=ticks())
    recorder.record(started())
    assert trace.live
    recorder.record(RunFinished(status="finished"))
    assert not trace.live
    recorder.close()
    assert trace.wait_closed(0)


def test_each_event_is_on_disk_before_the_next_comes(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    story = Story(path=path)
    for call_id in ("0", "0.1.1", "0.1.2"):
        story.rlm(call_id, "p")
        assert load(path).events == story.trace.events


def full_after(writes: int) -> Callable[[int, Any], int]:
    """A disk that takes so many writes, then half of one, then none."""
    real, left = os.write, [writes]

    def write(fd: int, data: Any) -> int:
        left[0] -= 1
        if left[0] >= 0:
            return real(fd, data)
        if left[0] == -1:
            return real(fd, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return write


@pytest.mark.parametrize("writes", [0, 1, 4])
def test_a_full_disk_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    path = tmp_path / "run.rlm.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_after(writes))
        trace = one_call(path)
    assert trace.events == one_call().events
    assert trace.status == "finished"
    assert (
        trace.warning
        == f"the trace is not saved: No space left on device ({path.parent.name}/{path.name}). {LATER}"
    )
    assert load(save(trace, tmp_path / "elsewhere.rlm.jsonl")).events == trace.events
    if writes:
        torn = load(path)
        assert torn.events == trace.events[:writes]
        assert torn.warning == "the last line was cut off while it was written and is left out"


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
        trace = one_call(tmp_path / "run.rlm.jsonl")
    assert trace.warning == ""
    assert load(tmp_path / "run.rlm.jsonl").events == trace.events


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    path = tmp_path / "run.rlm.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        trace = one_call(path)
    assert (
        trace.warning
        == f"the trace is not saved: Permission denied ({path.parent.name}/{path.name}). {LATER}"
    )
    assert trace.path is None
    assert trace.status == "finished"


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trace = one_call(tmp_path / "file" / "run.rlm.jsonl")
    assert trace.warning.startswith("the trace is not saved: ")
    assert trace.events == one_call().events


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    path.write_text("mine")
    trace = one_call(path)
    assert trace.warning == f"the trace is not saved: File exists ({path.parent.name}/{path.name}). {LATER}"
    assert path.read_text() == "mine"


def test_a_value_that_json_has_no_word_for_does_not_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.rlm.jsonl"
    story = Story(path=path)
    story.root()
    story.reply("0", 1, "two", seconds=float("nan"))
    story.finish("0", answer="two")
    trace = story.end(answer="two")
    assert trace.status == "finished"
    assert "the trace is not saved" in trace.warning


def test_a_new_folder_of_traces_is_private_and_out_of_any_repository(tmp_path: Path) -> None:
    Recorder(Trace(live=True), tmp_path / ".rlm" / "a.rlm.jsonl").close()
    assert (tmp_path / ".rlm").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".rlm" / ".gitignore").read_text() == "*\n"


def test_a_live_trace_tells_the_time_and_an_ended_one_when_it_ended() -> None:
    trace = Trace(live=True)
    assert trace.now() == 0.0
    recorder = Recorder(trace, None, clock=iter([10.0, 10.5, 11.0, 12.0]).__next__)
    assert trace.now() == 0.5
    recorder.record(started())
    recorder.record(RunFinished(status="finished"))
    assert trace.now() == trace.events[-1].t == 2.0


def test_a_trace_knows_its_run_before_the_first_event_if_it_is_told() -> None:
    assert Trace(live=True).run_id == ""
    assert Trace(live=True, run_id="papers-1").run_id == "papers-1"
    assert one_call().run_id == "papers-1"
