"""What `%rlm doctor` says of the walls around the model's code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rlm_kernel.magic import walls
from rlm_kernel.repl import bwrap, isolation
from rlm_kernel.repl.guard import guard

STARTED = re.compile(r"ok  a worker was ready in \d+ ms, another one in \d+ ms")


def said(notebook: Any, *settings: str) -> list[str]:
    """The lines of the doctor that are about isolation."""
    for setting in settings:
        notebook.cell(f"%config RlmMagics.{setting}")
    lines = notebook.output("%rlm doctor").splitlines()
    first = next(number for number, line in enumerate(lines) if "model code" in line)
    last = next(number for number, line in enumerate(lines) if "traces" in line)
    return list(lines[first:last])


def test_a_system_that_guards_says_so_and_what_that_stops(notebook: Any) -> None:
    level, stopped, started, landlock, _ = said(notebook)
    assert level == (
        "ok  model code runs in a worker process of its own (isolation: guarded, which each worker proves before it runs "
        "anything)"
    )
    assert stopped.startswith(
        "    It reads no file but what is installed or made readable; it cannot reach your variables, keys"
    )
    assert STARTED.fullmatch(started)
    assert re.fullmatch(r"ok  landlock version \d+ and seccomp guard what runs as strict", landlock)


def test_bubblewrap_is_named_where_it_works(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "offered", lambda: "")
    assert said(notebook)[-1] == "ok  bubblewrap works here: --isolation bwrap"


def test_and_how_to_get_it_where_it_is_not(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert said(notebook)[-1].startswith("    --isolation bwrap: bubblewrap is not installed (on Debian")


def test_a_system_without_a_guard_says_why_it_is_not_more(
    notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "offered", lambda: "this kernel has no landlock")
    level, stopped, started, *rest = said(notebook)
    assert level == (
        "!!  model code runs in a worker process of its own (isolation: worker) and not guarded: this kernel has no landlock"
    )
    assert "it can read your files and use the network, as you can" in stopped
    assert STARTED.fullmatch(started)
    assert not any("landlock version" in line for line in rest)


def test_the_notebooks_own_settings_are_tried(notebook: Any) -> None:
    level, stopped, started, *_ = said(notebook, "isolation = 'worker'")
    assert level == "ok  model code runs in a worker process of its own (isolation: worker, as was asked for)"
    assert "it can read your files" in stopped
    assert STARTED.fullmatch(started)


def test_no_protection_is_a_warning(notebook: Any) -> None:
    level, stopped, started, *_ = said(notebook, "isolation = 'inline'")
    assert level.startswith("!!  model code runs in this process, without protection (isolation: inline")
    assert "Nothing is stopped" in stopped
    assert STARTED.fullmatch(started)


def test_what_cannot_be_had_is_said_with_the_next_move(
    notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "offered", lambda: "this kernel has no landlock")
    (line,) = said(notebook, "isolation = 'strict'")
    assert line.startswith(
        "!!  model code does not run here: this system does not give what --isolation strict needs"
    )
    assert "--isolation auto takes what there is" in line


def test_a_policy_that_makes_no_sense_is_said(
    notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rlm_kernel.json").write_text('{"isolation": "stict"}')
    monkeypatch.setattr(isolation, "config_folders", lambda: [tmp_path])
    (line,) = said(notebook)
    assert line.startswith("!!  model code does not run here: the policy in")


def test_a_guard_that_does_not_hold_is_said(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    obtain = walls.obtain

    def holed(*args: Any, **options: Any) -> Any:
        terms = obtain(*args, **options)
        vars(terms)["readable"] = ("/",)  # workers that lock themselves less than they should
        return terms

    monkeypatch.setattr(walls, "obtain", holed)
    _, _, started, *_ = said(notebook)
    assert started.startswith(
        "!!  no worker starts: the worker is not guarded as this run promised (it can list"
    )
