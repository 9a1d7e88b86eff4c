"""Work directories are removed, whatever was done to them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rlm_kernel.repl import folders
from rlm_kernel.repl.folders import PREFIX, clear, make_folder, remove, sweep


def test_a_folder_that_is_cleared_is_soon_gone(tmp_path: Path) -> None:
    folder = Path(make_folder(str(tmp_path)))
    (folder / "file").write_text("text")
    clear(str(folder))
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not folder.exists()


def test_folders_deeper_than_any_path_can_be_are_removed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    # In a process of its own, which goes down into them.
    code = (
        "import os\nfor _ in range(1500): os.mkdir('d' * 50); os.chdir('d' * 50)\nopen('file', 'w').close()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=target, check=True)
    remove(str(target))
    assert not target.exists()


def test_folders_that_their_maker_locked_are_removed(tmp_path: Path) -> None:
    """For who is not root: to root, nothing is locked."""
    target = tmp_path / "target"
    (target / "inner" / "innermost").mkdir(parents=True)
    (target / "inner" / "innermost" / "file").write_text("text")
    for folder in (target / "inner" / "innermost", target / "inner", target):
        folder.chmod(0)
    code = "import os\nfrom rlm_kernel.repl.folders import remove\nif os.getuid() == 0: os.setuid(65534)\nremove('target')"
    if os.getuid() == 0:
        for each in (tmp_path, *tmp_path.rglob("*")):
            os.chown(each, 65534, 65534)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert not target.exists()


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    target, other = tmp_path / "target", tmp_path / "other"
    target.mkdir()
    other.mkdir()
    (other / "file").write_text("kept")
    (target / "link").symlink_to(other)
    (target / "locked").mkdir(mode=0)
    remove(str(target))
    assert not target.exists()
    assert (other / "file").read_text() == "kept"


def test_folders_that_are_left_are_removed_when_python_ends_but_not_by_a_fork(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom rlm_kernel.repl.folders import make_folder\n"
        f"folder = make_folder({str(tmp_path)!r})\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\nprint(os.path.exists(folder))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "True\n"
    assert not list(tmp_path.iterdir())


OWNER = """
from rlm_kernel.repl.folders import make_folder
print(make_folder(), flush=True)
input()
"""


def owner() -> tuple[subprocess.Popen[str], Path]:
    """A process that has a work directory, and that directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_owner_left_is_removed_and_a_living_ones_is_not(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dead, left), (living, used) = owner(), owner()
    (left / "file").write_text("text")
    kill(dead)
    sweep()
    assert left.exists()  # so young, it could be about to be locked
    monkeypatch.setattr(folders, "YOUNG_SECONDS", -1.0)
    sweep()
    assert list(temporary.iterdir()) == [used]
    kill(living)
    sweep()
    assert not list(temporary.iterdir())


def test_what_only_looks_like_a_work_directory_is_left_alone(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "YOUNG_SECONDS", -1.0)
    kept = [
        temporary / name for name in (f"{PREFIX}results", f"{PREFIX}12345678.old", "rlm-12345678", "papers")
    ]
    for folder in kept:
        folder.mkdir()
    (temporary / f"{PREFIX}87654321").write_text("a file")
    (temporary / f"{PREFIX}linked_1").symlink_to(kept[-1])
    if os.getuid() == 0:
        (temporary / f"{PREFIX}anothers").mkdir()
        os.chown(temporary / f"{PREFIX}anothers", 65534, 65534)
    before = set(temporary.rglob("*"))
    sweep()
    assert set(temporary.rglob("*")) == before


def test_the_first_folder_of_a_process_removes_what_others_left(temporary: Path) -> None:
    dead, left = owner()
    kill(dead)
    code = "from rlm_kernel.repl import folders\nfolders.YOUNG_SECONDS = -1\nfolders.make_folder()\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)}
    ) as another:
        deadline = time.monotonic() + 10
        while left.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not left.exists()
        assert len(list(temporary.iterdir())) == 1
        another.communicate(b"\n")
    assert not list(temporary.iterdir())
