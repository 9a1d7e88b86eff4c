"""Work directories of workers: made here, removed behind everybody's back, and the last of them when Python ends."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import tempfile
from queue import SimpleQueue
from threading import Thread


class _Cleaner:
    """Removes folders in a thread of its own, which is there before a folder is: at the end of Python none can start."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.queue: SimpleQueue[str] = SimpleQueue()
        Thread(target=self._work, name="rlm-cleaner", daemon=True).start()

    def _work(self) -> None:
        while True:
            folder = self.queue.get()
            remove(folder)
            if not os.path.exists(folder):
                self.there.discard(folder)


def make_folder(inside: str | None = None) -> str:
    """A new folder for a worker, which only its owner can enter."""
    folder = tempfile.mkdtemp(prefix="rlm-", dir=inside)
    _cleaner().there.add(folder)
    return folder


def clear(folder: str) -> None:
    """Removes the folder, soon; whatever was in it is no error."""
    if folder:
        _cleaner().queue.put(folder)


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

__all__ = ["clear", "make_folder", "remove"]
