"""Work directories of workers: made here, removed behind everybody's back, and the last of them when Python ends.

Each is locked as long as its owner lives. What a killed owner leaves has no lock any more, and the next one removes it.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread

try:
    import fcntl

    LOCKS = True
except ImportError:  # Windows, where such folders stay until somebody clears the temporary directory
    LOCKS = False

PREFIX = "rlm-worker-"
YOUNG_SECONDS = 60.0
"""A folder without a lock is left alone for so long: its owner may be about to lock it."""
_NAME = re.compile(re.escape(PREFIX) + r"\w{8}", re.ASCII)


class _Cleaner:
    """Removes folders in a thread of its own, which is there before a folder is: at the end of Python none can start."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}
        self.queue: SimpleQueue[str] = SimpleQueue()
        Thread(target=self._work, name="rlm-cleaner", daemon=True).start()

    def _work(self) -> None:
        sweep()
        while True:
            self.discard(self.queue.get())

    def discard(self, folder: str) -> None:
        """Removes a folder of this process, and lets go of it."""
        remove(folder)
        held = -1 if os.path.exists(folder) else self.there.pop(folder, -1)
        if held >= 0:
            os.close(held)


def make_folder(inside: str | None = None) -> str:
    """A new folder for a worker, which only its owner can enter."""
    cleaner = _cleaner()
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=inside)
    cleaner.there[folder] = -1 if inside else _lock(folder)
    return folder


def clear(folder: str) -> None:
    """Removes the folder, soon; whatever was in it is no error."""
    if folder:
        _cleaner().queue.put(folder)


def discard(folder: str) -> None:
    """Removes a folder that was made here, now: for threads that may wait for that."""
    _cleaner().discard(folder)


def sweep() -> None:
    """Removes the folders of owners that were killed."""
    for folder in _unowned():
        held = _lock(folder)
        if held >= 0:
            remove(folder)
            os.close(held)


def _unowned() -> Iterator[str]:
    """The folders that look like ours, and are old enough to have been locked."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as inside:
        now = _now()
        for entry in inside:
            if _NAME.fullmatch(entry.name) and _is_old(entry, now):
                yield entry.path


def _now() -> float:
    """What a file says that is made now: the clock of its system, by which the others have their dates."""
    with tempfile.TemporaryFile() as file:
        return os.fstat(file.fileno()).st_ctime


def _is_old(entry: os.DirEntry[str], now: float) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    ours = LOCKS and stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return ours and now - found.st_ctime > YOUNG_SECONDS


def _lock(folder: str) -> int:
    """Holds the folder for this process, as long as what it returns is open; -1 where that cannot be."""
    if not LOCKS:
        return -1
    held = -1
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Another process has it, it is gone, or its file system knows no locks.
        if held >= 0:
            os.close(held)
        return -1
    return held


def remove(folder: str) -> None:
    """Removes the folder, now, as far as that can be done."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        with contextlib.suppress(OSError):
            _remove_piece_by_piece(folder)


def _remove_piece_by_piece(folder: str) -> None:
    """Each folder in it is opened and moved up: it may be locked, or so deep that no path can name it."""
    numbers, mark = itertools.count(), os.urandom(8).hex()
    todo = [folder]
    while todo:
        each = todo.pop()
        os.chmod(each, 0o700)
        with os.scandir(each) as inside:
            entries = list(inside)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)  # its `..` is written when it is moved
                todo.append(os.path.join(folder, f"{mark}-{next(numbers)}"))
                os.rename(entry.path, todo[-1])
            else:
                os.unlink(entry.path)
        if each != folder:
            os.rmdir(each)
    os.rmdir(folder)


def _cleaner() -> _Cleaner:
    # Keyed by process: a fork has the entry, but neither the thread nor the folders.
    found = _cleaners.get(os.getpid())
    if found is None:
        found = _cleaners.setdefault(os.getpid(), _Cleaner())
    return found


@atexit.register
def _remove_rest() -> None:
    cleaner = _cleaners.get(os.getpid())
    for folder in list(cleaner.there) if cleaner else ():
        remove(folder)


_cleaners: dict[int, _Cleaner] = {}

__all__ = ["LOCKS", "PREFIX", "YOUNG_SECONDS", "clear", "discard", "make_folder", "remove", "sweep"]
