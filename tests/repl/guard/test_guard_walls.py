"""What the guard stops, against a real parent that holds a key; each wall is shown to be missing without it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded import KEY, NOBODY, printed, run

from rlm_kernel.repl.guard import guard

pytestmark = pytest.mark.skipif(guard.offered() != "", reason=guard.offered() or "offered")
ROOT = os.geteuid() == 0
users = pytest.mark.parametrize("uid", [0, NOBODY] if ROOT else [0], ids=["self", "nobody"][: 1 + ROOT])

# Every attempt prints what it got; it says so of the exception, where there is one.
PROBE = """
import json, os, signal, socket, ctypes
parent = os.getppid()

def attempt(work):
    try:
        return work()
    except BaseException as error:
        return type(error).__name__

def memory():
    with open(f"/proc/{parent}/maps") as maps, open(f"/proc/{parent}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights, *_, = line.split()
            first, last = (int(each, 16) for each in span.split("-"))
            if rights.startswith("rw") and last - first < 1 << 27:
                try:
                    mem.seek(first)
                    if b"KEY=" + order["key"].encode() in mem.read(last - first):
                        return "leak"
                except OSError:
                    continue
    return "no leak"

def read(path):
    with open(path, "rb") as file:
        return "leak" if order["key"].encode() in file.read() else "no leak"

def connect():
    with socket.create_connection(("127.0.0.1", order["port"]), 5):
        return "connected"

def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return "forked" if os.waitpid(pid, 0)[1] == 0 else "?"

def write(path):
    with open(path, "x"):
        return "written"

def append(path):
    with open(path, "a") as file:
        file.write("harm")
    return "written"

print(json.dumps({
    "environ": attempt(lambda: read(f"/proc/{parent}/environ")),
    "memory": attempt(memory),
    "credentials": attempt(lambda: read(order["credentials"])),
    "signal": attempt(lambda: os.kill(parent, 0) or "signalled"),
    "connect": attempt(connect),
    "fork": attempt(fork),
    "spawn": attempt(lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]),
    "write": attempt(lambda: write(order["beside"])),
    "append": attempt(lambda: append(order["credentials"])),
    "rename": attempt(lambda: os.rename(order["credentials"], order["credentials"] + ".gone")),
    "list": attempt(lambda: os.listdir("/") and "listed"),
    "link": attempt(lambda: os.link(order["credentials"], "linked") or "linked"),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX).close() or "made"),
    "truncate": attempt(lambda: os.truncate(order["credentials"], 0) or "truncated"),
}))
"""
OPEN = {
    "environ": "leak",
    "memory": "leak",
    "credentials": "leak",
    "signal": "signalled",
    "connect": "connected",
    "fork": "forked",
    "spawn": 0,
    "write": "written",
    "append": "written",
    "rename": None,
    "list": "listed",
    "link": "FileNotFoundError",  # it was renamed
    "unix": "made",
    "truncate": "FileNotFoundError",
}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user can come to, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="rlm-guard-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def probe(place: Path, *, uid: int, lock: bool) -> dict[str, Any]:
    credentials = place / "credentials"
    credentials.write_text(f"key = {KEY}\n")
    work = place / "work"
    work.mkdir()
    if uid:
        os.chown(work, uid, uid)
        os.chown(credentials, uid, uid)
    credentials.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as service:
        facts = {"key": KEY, "port": service.getsockname()[1], "credentials": str(credentials)}
        out = printed(PROBE, work, uid=uid, lock=lock, beside=str(place / "beside"), **facts)
    found: dict[str, Any] = json.loads(out)
    return found


@users
def test_without_a_guard_all_of_it_is_open(place: Path, uid: int) -> None:
    assert probe(place, uid=uid, lock=False) == OPEN


@users
def test_the_guard_stops_all_of_it(place: Path, uid: int) -> None:
    found = probe(place, uid=uid, lock=True)
    # A link from outside would take rights along, so landlock calls it a link across devices.
    assert set(found.values()) <= {"PermissionError", "OSError"}, found
    assert {name for name, what in found.items() if what == "OSError"} <= {"rename", "link"}
    assert (place / "credentials").read_text() == f"key = {KEY}\n"
    assert not (place / "beside").exists()


@users
def test_a_guard_proves_itself(place: Path, uid: int) -> None:
    work = place / "work"
    work.mkdir()
    work.chmod(0o777)
    code = "from rlm_kernel.repl.guard.guard import holes; print(holes(order['workdir']))"
    assert printed(code, work, uid=uid) == "[]\n"


@users
def test_a_process_without_a_guard_is_full_of_holes_and_the_proof_leaves_nothing(
    place: Path, uid: int
) -> None:
    work = place / "work"
    work.mkdir()
    if uid:
        os.chown(work, uid, uid)
    code = """
import ctypes, json, os
from rlm_kernel.repl.guard.guard import holes
from rlm_kernel.repl.guard.linux import call
before = sorted(os.listdir("/proc/self/fd"))
found = holes(order["workdir"])
died_with = ctypes.c_int()
call("prctl", 2, ctypes.addressof(died_with))
try:
    os.waitpid(-1, 0)
    children = True
except ChildProcessError:
    children = False
print(json.dumps([found, before == sorted(os.listdir("/proc/self/fd")), children, died_with.value]))
"""
    found, same_files, children, died_with = json.loads(printed(code, work, uid=uid, lock=False))
    assert len(found) == 14
    assert (same_files, children, died_with) == (True, False, 9)
    assert list(place.iterdir()) == [work]


@pytest.mark.parametrize(
    ("missing", "sentences"),
    [
        (
            "landlock.restrict",
            {
                "it can list the root folder",
                "it can read what other processes say of themselves",
                "it can write outside its work directory",
            },
        ),
        (
            "seccomp.install",
            {
                "it can open sockets",
                "it can start processes",
                "it can run programs",
                "it can outlive its parent",
            },
        ),
    ],
)
def test_half_a_guard_is_not_taken_for_one(place: Path, missing: str, sentences: set[str]) -> None:
    code = f"""
import json
from rlm_kernel.repl.guard import guard, landlock, seccomp
{missing} = lambda *_, **__: None
guard.lock(order["workdir"], order["readable"])
print(json.dumps(guard.holes(order["workdir"])))
"""
    assert sentences <= set(json.loads(printed(code, place / "work", lock=False)))


def test_a_process_with_threads_is_not_locked(tmp_path: Path) -> None:
    code = """
import threading
from rlm_kernel.repl.guard import guard
gone = threading.Event()
threading.Thread(target=gone.wait).start()
try:
    guard.lock(order["workdir"], [])
except OSError as error:
    print(error.strerror)
gone.set()
"""
    assert "several threads" in printed(code, tmp_path / "work", lock=False)


def test_what_is_readable_is_not_writable(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.txt").write_text("alpha")
    code = """
import os
folder = order["folder"]
print(open(f"{folder}/a.txt").read(), os.listdir(folder))
for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_CREAT | os.O_WRONLY):
    try:
        os.open(f"{folder}/a.txt", flags)
    except PermissionError:
        print("refused")
os.chmod(f"{folder}/a.txt", 0)
os.utime(f"{folder}/a.txt", (0, 0))
"""
    before = (papers / "a.txt").stat()
    out = printed(code, tmp_path / "work", extra=[str(papers)], folder=str(papers))
    assert out == "alpha ['a.txt']\n" + "refused\n" * 4
    after = (papers / "a.txt").stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)


def test_the_work_directory_is_its_own(tmp_path: Path) -> None:
    code = """
import os, shutil
os.makedirs("a/b")
with open("a/b/text", "w") as file:
    file.write("alpha")
os.replace("a/b/text", "a/text")
shutil.copy2("a/text", "copy")
os.symlink("copy", "link")
with open("link", "r+") as file:
    file.truncate(2)
shutil.rmtree("a")
os.truncate("copy", 1)
print(open("link").read(), sorted(os.listdir()))
"""
    assert printed(code, tmp_path / "work") == "a ['copy', 'link']\n"


def test_only_its_own_part_of_proc_is_there(tmp_path: Path) -> None:
    code = """
import os
print(len(open("/proc/self/maps").read()) > 100, "processor" in open("/proc/cpuinfo").read())
for path in ("/proc/1/cmdline", f"/proc/{os.getppid()}/status", "/proc/version", "/etc/hostname", "/etc/passwd"):
    try:
        print(open(path).read())
    except OSError as error:
        print(type(error).__name__)
"""
    assert printed(code, tmp_path / "work") == "True True\n" + "PermissionError\n" * 5


def test_the_process_ends_where_it_changes_to_another_table_of_calls(tmp_path: Path) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("only x86_64 has two tables")
    done = run("import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 39)", tmp_path / "work")
    assert done.returncode == 256 - signal.SIGSYS


def test_root_keeps_none_of_its_powers(tmp_path: Path) -> None:
    code = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapPrm'))])"
    out = printed(code, tmp_path / "work")
    kept = "0000000000000004" if ROOT else "0000000000000000"
    assert out == f"{[kept, kept]}\n"
