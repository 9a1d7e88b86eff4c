"""Whether bubblewrap can be had, said in one sentence. None of this needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.errors import ConfigError
from rlm_kernel.repl import bwrap
from rlm_kernel.repl.guard import guard
from rlm_kernel.repl.isolation import obtain


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the only `bwrap` of this system would be."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin" / "bwrap"


def written(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o700)


def test_where_it_is_not_installed_that_is_said_and_how_to_install_it(program: Path) -> None:
    assert not program.exists()
    assert bwrap.offered().startswith(
        "bubblewrap is not installed (on Debian or Ubuntu: sudo apt-get install"
    )


def test_it_is_found_as_soon_as_it_is_installed(program: Path) -> None:
    assert "not installed" in bwrap.offered()
    written(program, "exit 0")
    assert bwrap.offered() == ""


def test_where_the_system_forbids_it_its_own_words_are_the_reason(program: Path) -> None:
    written(program, "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
    assert bwrap.offered() == "bubblewrap does not work here: bwrap: No permissions to create new namespace"


def test_a_program_that_cannot_be_run_is_said_so(program: Path) -> None:
    program.write_text("#!/nowhere/interpreter\n")
    program.chmod(0o700)
    assert bwrap.offered().startswith("bubblewrap does not start here: ")


@pytest.mark.usefixtures("program")
def test_who_asks_for_it_where_it_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "offered", lambda: "")
    with pytest.raises(ConfigError, match=r"--isolation bwrap needs: bubblewrap is not installed"):
        obtain("bwrap")
