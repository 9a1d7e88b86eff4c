"""A tenth of the sub-calls that `make soak` makes, and a few of its kills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, HERE / script, *arguments], check=False, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="open files are counted as POSIX has them")
def test_a_thousand_sub_calls_leave_memory_flat_and_nothing_open_or_running() -> None:
    assert "1,065 sub-calls" in run("calls.py", "--calls", "1000")


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux lets a process adopt what outlives its parent"
)
def test_nothing_is_alive_a_second_after_the_kernel_is_killed() -> None:
    assert "0 alive" in run("orphans.py", "--kills", "3")
