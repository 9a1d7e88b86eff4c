"""A disk that is full, read-only or gone: the run goes on, has its answer, and everybody who looks at it is told."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest

from rlm_kernel import RLM, Run, ScriptedModel, load
from rlm_kernel.models import Request
from rlm_kernel.views.feed import Feed

ROOM = 64 * 1024
LATER = "It is still in memory: run.save('…') writes it elsewhere."
FILL = "```repl\nimport random\nprint(''.join(random.choices('abcdefgh', k=15_000)))\n```"
DONE = "```repl\nanswer['content'] = 'forty-two'\nanswer['ready'] = True\n```"


def asked(folder: Path, *, turns: int = 9, between: Callable[[], None] = lambda: None) -> Run:
    """A run with more output than there is room; `between` is called before its last turn."""

    def reply(request: Request) -> str:
        if request.turn <= turns:
            return FILL
        between()
        return DONE

    return RLM(model=ScriptedModel(reply), trace_dir=folder, output_chars=200).run("What?")


@contextmanager
def little_room(folder: Path) -> Iterator[None]:
    """The folder on a disk of its own that is soon full; without the right to mount one, files cannot grow instead."""
    with ExitStack() as stack:
        with suppress(OSError, subprocess.CalledProcessError):
            mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
            subprocess.run(mount, check=True, capture_output=True)
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
        if not os.path.ismount(folder):
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
            stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        yield


def banners(run: Run, folder: Path) -> dict[str, str]:
    """Every view of the run, by its name."""
    bundle: dict[str, Any] = run._repr_mimebundle_()
    feed, told = Feed(run.trace, 0), list[Any]()
    while not feed.over:
        told.append(feed.take())
    return {
        "text": str(run),
        "the text in the cell": bundle["text/plain"],
        "the static tree in the cell": bundle["text/html"],
        "the tree in the cell": json.dumps(bundle["application/vnd.rlm.trace+json"], ensure_ascii=False),
        "the tree while it runs": json.dumps(told, ensure_ascii=False),
        "the page": run.to_html(folder / "page.html").read_text(),
        "the static page": run.to_html(folder / "static.html", interactive=False).read_text(),
        "the notebook": nbformat.read(run.to_notebook(folder / "run.ipynb"), 4).cells[0].source,  # type: ignore[no-untyped-call]
    }


def check_all_is_told(run: Run, why: str, folder: Path) -> None:
    assert (run.status, run.answer) == ("finished", "forty-two")
    assert run.trace.warning.startswith(f"the trace is not saved: {why} (")
    assert run.trace.warning.endswith(LATER)
    for name, view in banners(run, folder).items():
        assert "the trace is not saved" in view, name
    saved = load(run.save(folder / "elsewhere.rlm.jsonl"))
    assert saved.trace.events == run.trace.events
    assert saved.trace.warning == ""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


def test_a_full_disk(place: Path, tmp_path: Path) -> None:
    with little_room(place):
        run = asked(place)
        why = "No space left on device" if os.path.ismount(place) else "File too large"
        assert run.path is not None
        torn = load(run.path).trace.events
    assert torn == run.trace.events[: len(torn)]
    assert len(torn) > 5
    check_all_is_told(run, why, tmp_path)


def test_a_disk_without_room_for_a_first_event(place: Path, tmp_path: Path) -> None:
    with little_room(place):
        with suppress(OSError), (place / "other").open("wb", buffering=0) as file:
            for _ in range(2 * ROOM):
                file.write(b"x" * 4096)
        if not os.path.ismount(place):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        run = asked(place)
    assert (run.status, run.answer) == ("finished", "forty-two")
    assert "the trace is not saved" in str(run)


def test_a_folder_that_is_deleted_in_the_middle_of_a_run(place: Path, tmp_path: Path) -> None:
    run = asked(place, between=lambda: shutil.rmtree(place))
    check_all_is_told(run, "its file was deleted or moved", tmp_path)


def test_a_folder_that_is_moved_in_the_middle_of_a_run(place: Path, tmp_path: Path) -> None:
    run = asked(place, between=lambda: place.rename(tmp_path / "moved") and None)
    check_all_is_told(run, "its file was deleted or moved", tmp_path)


def test_a_read_only_folder(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        if os.geteuid() == 0:
            # Nobody is refused by modes who is root: a disk that is mounted read-only refuses all.
            mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)]
            if (
                not shutil.which("mount")
                or subprocess.run(mount, capture_output=True, check=False).returncode
            ):
                place = Path("/proc")
            else:
                stack.callback(subprocess.run, ["umount", "-l", str(place)], check=True)
            why = "Read-only file system" if place != Path("/proc") else "No such file or directory"
        else:
            place.chmod(0o500)
            why = "Permission denied"
        check_all_is_told(asked(place), why, tmp_path)


def test_a_disk_that_takes_a_little_at_a_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:1000]))
        run = asked(place, turns=2)
    assert run.path is not None
    assert (run.trace.warning, load(run.path).trace.events) == ("", run.trace.events)


def test_two_runs_never_share_a_file(place: Path) -> None:
    runs = [RLM(model=ScriptedModel([DONE]), trace_dir=place).start("What?") for _ in range(40)]
    for run in runs:
        assert run.wait().trace.warning == ""
    assert len({run.path for run in runs}) == len(list(place.glob("*.rlm.jsonl"))) == 40
