"""The magics' end of the channel, without a kernel: what can be looked up, how large, and what doctor says of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server import ChatServer

from rlm_kernel.errors import TraceError
from rlm_kernel.magic import doctor, find
from rlm_kernel.magic.control import NotebookDesk
from rlm_kernel.trace import Trace

Serve = Callable[..., ChatServer]
MIME = "application/vnd.rlm.trace+json"
DONE = "```repl\nanswer['content'] = 'yes'\nanswer['ready'] = True\n```"


def ask(notebook: Any, serve: Serve, options: str = "") -> Any:
    notebook.cell("papers = 'x'")
    assert notebook.cell(f"%%rlm papers -m small --base-url {serve([DONE]).url} {options}\nIs it so?").success
    return notebook.space["_"]


@pytest.fixture
def desk(notebook: Any) -> NotebookDesk:
    return NotebookDesk(find(notebook.shell))


def test_a_run_of_the_notebook_is_found(notebook: Any, serve: Serve, desk: NotebookDesk) -> None:
    run = ask(notebook, serve)
    assert desk.find(run.id) is run.trace
    assert desk.traces() == [run.trace]


def test_a_run_of_an_earlier_kernel_is_read_from_its_file(
    notebook: Any, serve: Serve, desk: NotebookDesk, tmp_path: Path
) -> None:
    run = ask(notebook, serve)
    later = "papers-20260102-030405-0123"
    text = run.path.read_text().replace(run.id, later)
    (tmp_path / ".rlm" / f"{later}.rlm.jsonl").write_text(text)
    found = desk.find(later)
    assert found is not None
    assert (found.run_id, len(found), found.live) == (later, len(run.trace), False)
    assert desk.find(later) is found


def test_a_file_that_says_it_is_another_run_is_not_that_run(
    notebook: Any, serve: Serve, desk: NotebookDesk, tmp_path: Path
) -> None:
    run = ask(notebook, serve)
    (tmp_path / ".rlm" / "other.rlm.jsonl").write_text(run.path.read_text())
    assert desk.find("other") is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../run", "/run", "sub/run", "run.rlm.jsonl", "run\n", "a\x00b", "x" * 101]
)
def test_a_name_is_never_a_path(
    name: str,
    notebook: Any,
    serve: Serve,
    desk: NotebookDesk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def opened(path: Path) -> Trace:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr("rlm_kernel.trace.load", opened)
    assert desk.find(name) is None


def test_a_file_that_is_no_trace_says_so(desk: NotebookDesk, tmp_path: Path) -> None:
    (tmp_path / ".rlm").mkdir()
    (tmp_path / ".rlm" / "papers-1.rlm.jsonl").write_text("not a trace\n")
    with pytest.raises(TraceError, match="is not JSON"):
        desk.find("papers-1")


# How much a notebook keeps


@pytest.mark.parametrize(("options", "config"), [("--inline-kb 5", 256), ("", 5)])
def test_a_cell_keeps_so_many_kilobytes(
    options: str, config: int, notebook: Any, serve: Serve, desk: NotebookDesk
) -> None:
    notebook.cell(f"%config RlmMagics.inline_kb = {config}")
    run = ask(notebook, lambda script: serve(["```repl\nprint('word ' * 2000)\n```", *script]), options)
    (shown,) = notebook.displayed
    assert len(json.dumps(shown[MIME], separators=(",", ":"))) <= 5 * 1024
    assert shown[MIME]["cut_texts"] > 0
    notebook.output(f"%rlm show {run.id}")
    assert notebook.displayed[-1] == desk.bundle(run.trace) == shown


def test_a_cell_may_keep_no_json(notebook: Any, serve: Serve) -> None:
    ask(notebook, serve, "--inline-kb 0")
    (shown,) = notebook.displayed
    assert set(shown) == {"text/html", "text/plain"}


def test_kilobytes_below_nothing_are_a_mistake(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    said = notebook.mistake("%%rlm papers -m demo --inline-kb=-1\nWhy?")
    assert said == "inline_kb must be at least 0, not -1"


# Doctor


@pytest.fixture
def examined(notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Doctor's lines about the extension, for those versions of it."""
    monkeypatch.setattr(doctor, "__version__", "0.2.0")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    place = tmp_path / "share" / "jupyter" / "labextensions" / "rlm-kernel" / "package.json"
    magics = find(notebook.shell)

    def examine(*, files: str | None, browser: str | None) -> list[str]:
        if files is not None:
            place.parent.mkdir(parents=True)
            place.write_text(files)
        monkeypatch.setattr(type(magics.control), "front_end", browser)
        return [*doctor._extension(magics), *doctor._front_end(magics)]

    return examine


def test_doctor_is_content_when_all_versions_are_the_same(examined: Callable[..., list[str]]) -> None:
    assert examined(files='{"version": "0.2.0"}', browser="0.2.0") == [
        "ok  the JupyterLab extension beside this kernel is 0.2.0",
        "ok  the extension in your browser is 0.2.0",
    ]


def test_doctor_names_the_versions_that_differ_and_the_next_move(
    examined: Callable[..., list[str]],
) -> None:
    files, browser = examined(files='{"version": "0.1.0"}', browser="0.3.0")
    assert files == (
        "!!  the JupyterLab extension beside this kernel is 0.1.0, this package is 0.2.0; they must be the same: "
        "pip install --force-reinstall rlm-kernel, then reload the page"
    )
    assert browser == (
        "!!  the extension in your browser is 0.3.0, this package is 0.2.0; they must be the same: "
        "pip install -U rlm-kernel where JupyterLab runs, then reload the page"
    )


def test_doctor_says_what_is_missing(examined: Callable[..., list[str]]) -> None:
    files, browser = examined(files=None, browser=None)
    assert files.startswith("!!  no JupyterLab extension beside this kernel")
    assert browser.startswith("!!  no front end with the extension is connected")


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00"])
def test_doctor_survives_files_it_cannot_read(text: str, examined: Callable[..., list[str]]) -> None:
    files, _ = examined(files=text, browser=None)
    assert files.startswith("!!  the extension's files beside this kernel cannot be read")


def test_doctor_shows_a_sly_version_harmlessly(examined: Callable[..., list[str]]) -> None:
    _, browser = examined(files=None, browser="\x1b[2J\n" + "9" * 5000)
    assert "\x1b" not in browser and len(browser) < 300
