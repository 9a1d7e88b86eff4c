"""F5–F8, F33, F34: what only limits and the guard of the system can hold: memory, processes, other files, the network."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from faults import NEXT, After
from processes import gone

from rlm_kernel import Request

MEMORY_MB = 300
MEMORY = 300 * 2**20
CANARY = "sk-canary-0123456789abcdef"


def level(after: After) -> str:
    """What the run says it obtained."""
    started = after.run.trace.started
    assert started is not None
    return started.isolation


@pytest.fixture
def guarded(tmp_path: Path) -> None:
    """For tests of what a guard stops: they need a system that has one."""
    found = level(After("1"))
    if found == "worker":
        pytest.skip("this system offers no guard")


BOMBS = {
    "one piece": "x = bytearray(10**10)",
    "many pieces": "def bomb():\n    pieces = []\n    while True: pieces.append(bytearray(10**7))\nbomb()",
    "small objects": "def bomb():\n    pieces = []\n    while True: pieces.append([0] * 100)\nbomb()",
    "one text": "def bomb():\n    text = 'x'\n    while True: text += text\nbomb()",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_f05_a_memory_bomb_is_an_error_of_the_block(bomb: str) -> None:
    """More memory than there is to be had."""
    after = After(f"kept = 7\n{bomb}", NEXT, then="kept", memory_mb=MEMORY_MB, block_seconds=30)
    assert after.error().startswith("MemoryError")
    assert "MemoryError" in after.told()
    assert after.executed(2).stdout == "next some text\n"
    assert after.answer == "7"


@pytest.mark.parametrize("piece", ["bytearray(10**6)", "[0] * 100"])
def test_f05_a_block_that_keeps_what_fills_the_memory_can_give_it_back(piece: str) -> None:
    """Memory that the block still holds when it fails."""
    bomb = f"kept, pieces = 7, []\nwhile True: pieces.append({piece})"
    then = "globals().get('kept', 'lost')"
    after = After(bomb, "pieces = None", NEXT, then=then, memory_mb=MEMORY_MB, block_seconds=30)
    assert after.executed(3).stdout == "next some text\n"
    if (
        "SIGSEGV" in after.error()
    ):  # where memory for the smallest thing fails, some layouts of it crash CPython 3.11
        assert (piece, after.answer) == ("[0] * 100", "lost")
    else:
        assert (after.error()[:11], after.answer) == ("MemoryError", "7")


def test_f06_a_file_in_memory_cannot_grow_without_bound() -> None:
    """`memfd_create`, filled. Many of them are counted by whoever watches the worker from outside."""
    bomb = (
        "import os\nfd = os.memfd_create('bomb')\n"
        "for size in (10**6, 2**31, 2**36):\n"
        "    try: os.pwrite(fd, b'x', size); print('written')\n"
        "    except OSError as error: print(os.strerror(error.errno))"
    )
    after = After(bomb, NEXT, memory_mb=MEMORY_MB, block_seconds=30)
    if not after.error().startswith("PermissionError"):  # a guard does not let one be made
        assert after.executed().stdout == "written\nFile too large\nFile too large\n"
    assert after.executed(2).stdout == "next some text\n"


@pytest.mark.parametrize("isolation", ["auto", "worker"])
def test_f06_shared_memory_cannot_grow_without_bound(isolation: str) -> None:
    """A shared mapping, which the limit on a process's data does not count.

    A guard does not let one be made; a plain worker is watched from outside, and killed."""
    bomb = (
        "import mmap, time\nfilled, piece = mmap.mmap(-1, 2**30), bytes(2**24)\n"
        "for at in range(0, 2**30, 2**24): filled[at:at + 2**24] = piece; time.sleep(0.05)"
    )
    after = After(bomb, NEXT, isolation=isolation, memory_mb=MEMORY_MB, block_seconds=30)
    assert (
        after.error().startswith("PermissionError")
        or "it used more than the 300 MB of memory" in after.error()
    )
    assert after.executed(2).stdout == "next some text\n"


@pytest.mark.usefixtures("guarded")
def test_f07_no_process_can_be_started() -> None:
    """A fork bomb."""
    bomb = "import os\nkept = 7\nwhile True:\n    if not os.fork(): os._exit(0)"
    after = After(bomb, then="kept")
    assert after.error().startswith("PermissionError")
    assert after.answer == "7"


@pytest.mark.usefixtures("guarded")
def test_f07_a_fork_that_returns_makes_no_second_loop() -> None:
    """`os.fork()` and on, in both processes."""
    after = After("import os\nos.fork()\nprint('once')", "print('next')")
    assert after.executed().stdout == ""
    assert after.error().startswith("PermissionError")
    assert len(after.model.requests) == 3


def test_f07_nothing_is_left_after_a_run() -> None:
    """Processes that outlive the run. Where there is no guard, they go with their group."""
    start = (
        "import os\n"
        "try: pids = [os.posix_spawn('/bin/sleep', ['sleep', '60'], {}) for _ in range(3)]\n"
        "except OSError: pids = []\nprint(os.getpid(), *pids)"
    )
    pids = [int(pid) for pid in After(start).executed().stdout.split()]
    assert pids
    assert all(gone(pid) for pid in pids)


def test_f08_threads_without_end_are_an_error_of_the_block() -> None:
    """A thread bomb, each thread with a sub-call. The engine does not start one thread for them."""
    before = threading.active_count()
    most: list[int] = []

    def count(request: Request) -> str:
        most.append(threading.active_count())
        return "ok"

    bomb = (
        "import threading\nstop, started = threading.Event(), 0\n"
        "try:\n    while started < 100_000:\n        threading.Thread(target=stop.wait).start(); started += 1\n"
        "except (RuntimeError, MemoryError) as error: print(type(error).__name__)\n"
        "stop.set()\nprint(started < 100_000)"
    )
    ask = (
        "threads = [threading.Thread(target=llm_query, args=('q',)) for _ in range(20)]\n"
        "for each in threads: each.start()\nfor each in threads: each.join()"
    )
    after = After(bomb, ask, NEXT, llm=count, memory_mb=MEMORY_MB, block_seconds=30)
    assert after.executed().stdout in ("RuntimeError\nTrue\n", "MemoryError\nTrue\n")
    assert after.executed(3).stdout == "next some text\n"
    assert len(most) == 20
    assert max(most) <= before + 8


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("file", ["environ", "mem", "maps", "cmdline", "root/etc/passwd", "fd"])
def test_f33_the_users_process_cannot_be_looked_into(file: str) -> None:
    """`/proc/<pid>/environ` and `/mem` of the process that holds the key."""
    look = f"import os\nfor pid in ({os.getpid()}, os.getppid()):\n    path = f'/proc/{{pid}}/{file}'\n    try: print(os.listdir(path) if {file == 'fd'} else open(path, 'rb').read(1))\n    except OSError as error: print('refused')"
    assert After(look).executed().stdout == "refused\nrefused\n"


@pytest.mark.usefixtures("guarded")
def test_f33_credentials_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with keys in the user's home."""
    secret = tmp_path / ".aws" / "credentials"
    secret.parent.mkdir()
    secret.write_text(CANARY)
    monkeypatch.setenv("HOME", str(tmp_path))
    after = After(f"print(open({str(secret)!r}).read())", trace_dir=tmp_path / "traces")
    assert after.error().startswith("PermissionError")
    assert not [
        path for path in (tmp_path / "traces").rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]


def test_f33_without_a_guard_the_run_says_so() -> None:
    """The same, where there is no guard: reachable, and nobody is told otherwise."""
    after = After("import os\nprint(len(open(f'/proc/{os.getppid()}/stat').read()) > 0)", isolation="worker")
    assert level(after) == "worker"
    assert after.executed().stdout == "True\n"


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    "write",
    [
        "open(there / 'new', 'w')",
        "open(there / 'old', 'a')",
        "os.unlink(there / 'old')",
        "os.mkdir(there / 'folder')",
        "os.rename(there / 'old', there / 'other')",
        "os.symlink('/', there / 'link')",
        "os.truncate(there / 'old', 0)",
    ],
)
def test_f34_no_file_outside_the_working_folder_can_be_written(tmp_path: Path, write: str) -> None:
    """Files written, deleted or renamed elsewhere."""
    (tmp_path / "old").write_text("as it was")
    after = After(f"import os, pathlib\nthere = pathlib.Path({str(tmp_path)!r})\n{write}")
    assert after.error().startswith(("PermissionError", "FileNotFoundError"))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "as it was"


@pytest.mark.usefixtures("guarded")
def test_f34_no_connection_can_be_made() -> None:
    """A connection to a service on this machine, and one to the world."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = (
            f"import socket, urllib.request\naddress = ('127.0.0.1', {server.getsockname()[1]})\nkept = []\n"
            "for call in (lambda: socket.create_connection(address, 2), lambda: socket.socketpair() and 1/0,\n"
            "             lambda: urllib.request.urlopen('http://127.0.0.1:9/', timeout=2)):\n"
            "    try: call(); kept.append('reached')\n"
            "    except (OSError, ZeroDivisionError) as error: kept.append(type(error).__name__)\nprint(kept)"
        )
        after = After(connect, block_seconds=30)
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()
    assert "reached" not in after.executed().stdout
    assert "PermissionError" in after.executed().stdout
