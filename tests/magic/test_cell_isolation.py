"""`%%rlm --isolation`, `--memory-mb`, `--readable`: what the model's code may do, said on the line of a cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server import ChatServer

from rlm_kernel import Run
from rlm_kernel.repl import isolation
from rlm_kernel.repl.guard import guard

Serve = Callable[..., ChatServer]


def turn(code: str) -> str:
    return f"```repl\n{code}\n```"


LENGTH = turn("FINAL(len(context))")


def asked(notebook: Any, server: ChatServer, options: str) -> Run:
    """The run of a cell with those options."""
    notebook.cell("papers = ['one', 'two']")
    result = notebook.cell(f"%%rlm papers -m small --base-url {server.url} {options}\nHow many?")
    assert result.success
    run = notebook.space["_"]
    assert isinstance(run, Run)
    return run


def level(run: Run) -> str:
    """What the run says it obtained."""
    assert run.trace.started is not None
    return run.trace.started.isolation


def refused(notebook: Any, server: ChatServer, options: str) -> str:
    """The one line that such a cell ends with, before anything is asked."""
    notebook.cell("papers = ['one', 'two']")
    said = notebook.mistake(f"%%rlm papers -m small --base-url {server.url} {options}\nHow many?")
    assert server.asked == []
    return str(said)


@pytest.mark.parametrize(
    ("options", "got"), [("", "guarded"), ("--isolation strict", "guarded"), ("--isolation worker", "worker")]
)
def test_the_level_is_as_the_line_says(notebook: Any, serve: Serve, options: str, got: str) -> None:
    run = asked(notebook, serve([LENGTH]), options)
    assert (level(run), run.answer) == (got, "2")


def test_a_notebook_can_set_its_level_once(notebook: Any, serve: Serve) -> None:
    notebook.cell("%config RlmMagics.isolation = 'worker'")
    assert level(asked(notebook, serve([LENGTH]), "")) == "worker"
    assert level(asked(notebook, serve([LENGTH]), "--isolation strict")) == "guarded"


def test_a_level_that_cannot_be_had_is_one_line(
    notebook: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "offered", lambda: "this kernel has no landlock")
    said = refused(notebook, serve([LENGTH]), "--isolation strict")
    assert said.startswith(
        "this system does not give what --isolation strict needs: this kernel has no landlock."
    )
    assert "--isolation auto takes what there is" in said


def test_what_the_administrator_forbids_is_one_line(
    notebook: Any, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rlm_kernel.json").write_text('{"isolation": "strict"}')
    monkeypatch.setattr(isolation, "config_folders", lambda: [tmp_path])
    said = refused(notebook, serve([LENGTH]), "--isolation worker")
    assert said.startswith("the administrator of this system allows no isolation 'worker'")


def test_a_level_that_does_not_exist_is_one_line(notebook: Any, serve: Serve) -> None:
    assert "choose auto, strict, worker" in refused(notebook, serve([LENGTH]), "--isolation sandbox")


def test_memory_is_limited_as_the_line_says(notebook: Any, serve: Serve) -> None:
    server = serve([turn("kept = 1\nx = bytearray(200 * 2**20)"), turn("FINAL(kept)")])
    run = asked(notebook, server, "--memory-mb 100")
    assert run.answer == "1"
    assert "MemoryError" in server.asked[1].body["messages"][-1]["content"]


def test_too_little_memory_is_one_line(notebook: Any, serve: Serve) -> None:
    assert refused(notebook, serve([LENGTH]), "--memory-mb 1") == "memory_mb must be at least 64, not 1"


def test_files_are_readable_as_the_line_says(notebook: Any, serve: Serve, tmp_path: Path) -> None:
    for name in ("one.csv", "two words.csv", "three.csv"):
        (tmp_path / name).write_text(name)
    read = (
        "found = []\n"
        f"for name in ('one.csv', 'two words.csv', 'three.csv'):\n"
        f"    try: found.append(open({str(tmp_path)!r} + '/' + name).read())\n"
        "    except PermissionError: found.append('refused')\n"
        "FINAL(', '.join(found))"
    )
    run = asked(notebook, serve([turn(read)]), "--readable one.csv --readable 'two words.csv'")
    assert run.answer == "one.csv, two words.csv, refused"


def test_a_path_that_is_not_there_is_one_line(notebook: Any, serve: Serve, tmp_path: Path) -> None:
    said = refused(notebook, serve([LENGTH]), "--readable nowhere.csv")
    assert said.startswith("nowhere.csv was to be readable for the model's code, and it is not there")
    assert str(tmp_path / "nowhere.csv") in said
