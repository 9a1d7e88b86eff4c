"""What a worker takes is looked at from outside, where no limit of its own stops it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from workers import Worker

from rlm_kernel.repl import watch
from rlm_kernel.repl.watch import excess_of, nameless, resident

MB = 2**20
NOBODY = 0
"""No process has this number."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks often."""
    monkeypatch.setattr(watch, "MEMORY_SECONDS", 0.02)
    monkeypatch.setattr(watch, "FOLDER_SECONDS", 0.02)


SHARED = """
import mmap, time
filled, piece = mmap.mmap(-1, {mb} * 2**20), bytes(2**20)
for at in range(0, len(filled), len(piece)):
    filled[at:at + len(piece)] = piece
    time.sleep(0.002)
"""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("context", ["text", "large" * 4 * MB], ids=["small", "large"])
def test_memory_that_is_shared_is_counted_and_the_limit_is_named_as_it_was_set(
    make: Callable[..., Worker], context: str
) -> None:
    worker = make(context, isolation="worker", memory_mb=100)
    result = worker.run("kept = 1\nprint('before', flush=True)" + SHARED.format(mb=300))
    assert result.error is not None
    assert result.error.type == "WorkerLost"
    assert "gone: it used more than the 100 MB of memory that it may have" in result.error.message
    assert result.stdout == "before\n"
    assert worker.run("len(context), 'kept' in globals()").stdout == f"({len(context)}, False)\n"


@pytest.mark.usefixtures("quick")
def test_what_is_within_the_limit_is_left_alone(make: Callable[..., Worker]) -> None:
    worker = make("text", isolation="worker", memory_mb=100)
    assert worker.run(SHARED.format(mb=60) + "print('done')").stdout == "done\n"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("isolation", ["worker", "strict"])
def test_files_that_grow_without_end_end_the_worker(
    make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    monkeypatch.setattr(watch, "FOLDER_BYTES", 5_000_000)
    worker = make("text", isolation=isolation)
    fill = "n = 0\nwhile True:\n    open(f'file{n}', 'wb').write(b'x' * 100_000); n += 1"
    result = worker.run(fill)
    assert "it wrote more than 5,000,000 bytes of files" in str(result.error)
    assert worker.run("import os; print(os.listdir())").stdout == "[]\n"


@pytest.mark.usefixtures("quick")
def test_files_without_a_name_count_too(make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FOLDER_BYTES", 5_000_000)
    fill = (
        "import os\nheld = []\nwhile True:\n"
        "    held.append(open('file', 'wb', buffering=0)); os.unlink('file'); held[-1].write(b'x' * 100_000)"
    )
    result = make("text").run(fill)
    assert "it wrote more than 5,000,000 bytes of files" in str(result.error)


def test_an_empty_folder_is_none_too_large(tmp_path: Path) -> None:
    assert excess_of(str(tmp_path), NOBODY) == ""
    assert excess_of(str(tmp_path / "gone"), NOBODY) == ""


def test_many_files_and_many_folders_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FOLDER_FILES", 10)
    for number in range(6):
        (tmp_path / f"folder{number}").mkdir()
    assert excess_of(str(tmp_path), NOBODY) == ""
    for number in range(5):
        (tmp_path / "folder0" / f"file{number}").touch()
    assert excess_of(str(tmp_path), NOBODY) == "it made more than 10 files"


def test_a_file_with_holes_counts_as_what_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FOLDER_BYTES", 1_000_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    assert excess_of(str(tmp_path), NOBODY) == ""


def test_a_link_counts_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FOLDER_BYTES", 1_000_000)
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "large")
    (tmp_path / "folder" / "around").symlink_to(tmp_path)
    assert excess_of(str(tmp_path / "folder"), NOBODY) == ""


def test_nothing_can_be_hidden_in_folders_too_deep_to_name(tmp_path: Path) -> None:
    code = "import os\nfor _ in range(100): os.mkdir('d' * 50); os.chdir('d' * 50)\nopen('file', 'w').close()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    said = excess_of(str(tmp_path), NOBODY)
    assert said == "it made a folder that cannot be looked into (File name too long)"


def test_files_in_memory_and_deleted_ones_are_nameless() -> None:
    before = nameless(os.getpid())
    in_memory = os.memfd_create("test")
    os.write(in_memory, b"x" * MB)
    assert nameless(os.getpid()) == before + MB
    with tempfile.TemporaryFile() as deleted:
        deleted.write(b"x" * MB)
        deleted.flush()
        assert nameless(os.getpid()) >= before + 2 * MB
    os.close(in_memory)
    assert nameless(os.getpid()) == before


def test_a_process_that_is_gone_has_nothing() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert (resident(process.pid), nameless(process.pid)) == (0, 0)


def test_memory_is_seen_from_outside() -> None:
    code = "held = bytearray(b'x' * 50_000_000); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 50_000_000 < resident(process.pid) < 100_000_000
