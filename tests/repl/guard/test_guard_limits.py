from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from guarded import SOURCE, printed

from rlm_kernel.repl.guard import limits

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are Linux's to hold")
MB = 2**20


def test_too_much_memory_is_an_error_of_the_code_and_the_process_lives(tmp_path: Path) -> None:
    code = """
held = bytearray(100 << 20)
try:
    more = bytearray(200 << 20)
except MemoryError:
    print("too much")
print(len(held) >> 20)
"""
    assert printed(code, tmp_path / "work", memory=256 * MB) == "too much\n100\n"


def test_what_it_has_already_does_not_count(tmp_path: Path) -> None:
    code = """
from rlm_kernel.repl.guard import limits
context = bytearray(300 << 20)
limits.limit(128 << 20)
print(len(bytearray(64 << 20)) >> 20)
"""
    assert printed(code, tmp_path / "work", lock=False) == "64\n"


def test_a_limit_is_not_raised_again(tmp_path: Path) -> None:
    code = """
import resource
for limit in (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, PermissionError):
        print("refused")
"""
    assert printed(code, tmp_path / "work", memory=256 * MB) == "refused\n" * 4


def test_a_limit_that_is_lower_already_stays(tmp_path: Path) -> None:
    code = """
import resource
from rlm_kernel.repl.guard import limits
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 2000))
limits.limit(None)
print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE))
print(resource.getrlimit(resource.RLIMIT_CORE), open("/proc/self/oom_score_adj").read().strip())
"""
    assert printed(code, tmp_path / "work", lock=False) == "(64, 128) (1000, 2000)\n(1, 1) 1000\n"


def test_a_file_has_an_end(tmp_path: Path) -> None:
    code = """
import errno
with open("big", "wb", buffering=0) as file:
    file.seek(10**9 - 1)
    file.write(b"x")
    try:
        file.write(b"x")
    except OSError as error:
        print(error.errno == errno.EFBIG)
"""
    assert printed(code, tmp_path / "work", memory=256 * MB) == "True\n"


def test_it_ends_with_its_parent() -> None:
    """The parent is killed: the child has a pipe's only other end, which closes when it is gone."""
    code = f"""
import os, sys, time
sys.path.append({SOURCE!r})
from rlm_kernel.repl.guard import limits
parent = os.getpid()
if os.fork() == 0:
    limits.die_with_parent(parent)
    os.write(1, b"up")
    time.sleep(600)
os.close(1)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, bufsize=0) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read(2) == b"up"
        parent.send_signal(signal.SIGKILL)
        ready, _, _ = select.select([parent.stdout], [], [], 5)
        assert ready
        assert parent.stdout.read(1) == b""


def test_it_does_not_start_without_its_parent() -> None:
    code = f"import sys; sys.path.append({SOURCE!r}); from rlm_kernel.repl.guard import limits; limits.die_with_parent(1)"
    done = subprocess.run([sys.executable, "-c", code + "; print('alive')"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_another_system_has_the_limits_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[str] = []
    monkeypatch.setattr(limits, "_LINUX", False)
    monkeypatch.setattr(limits, "_refuse_cores", lambda: None)
    monkeypatch.setattr(limits, "_lower", lambda name, value: lowered.append(name))
    limits.limit(256 * MB)
    assert lowered == ["RLIMIT_FSIZE", "RLIMIT_NOFILE"]


def test_a_parent_is_known_where_no_signal_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_C_LIBRARY", None)
    limits.die_with_parent(os.getppid())
