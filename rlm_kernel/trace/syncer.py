"""`Syncer`: has what was written reach the disk, on a thread of its own: a slow disk holds up no run.

A process that dies loses nothing that was written; this is for power cuts, which take a second of a run at most.
macOS has no `fdatasync` and gets `fsync`, which leaves it to the drive when it writes.
"""

from __future__ import annotations

import atexit
import contextvars
import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS = 1.0
EXIT_SECONDS = 2.0
NAME = "rlm-sync"
_GONE = "its file was deleted or moved"


@dataclass
class _File:
    """An open file: what was written and is not synced yet, and whether that is to wait."""

    fd: int
    path: Path
    failed: Callable[[OSError], None]
    synced: float = float("-inf")
    dirty: bool = False
    now: bool = False
    closing: bool = False
    placed: bool = False
    broken: bool = False


def sync_file(fd: int) -> None:
    """Returns when the file's content is on the disk."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_folder(folder: Path) -> None:
    """Returns when the names in the folder are on the disk, where the system can say so."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def check_place(fd: int, path: Path) -> None:
    """Raises `FileNotFoundError` when the open file is not the one of that name any more: what is written to it is
    nowhere to be found then."""
    here = os.fstat(fd)
    try:
        there = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, _GONE) from None
    if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
        raise FileNotFoundError(errno.ENOENT, _GONE)


class Syncer:
    """Syncs open files at most once in `seconds`, and at once where that is asked for. Any thread may call it.

    `sync` is what is called with a file's descriptor, `clock` returns seconds. Without `threaded`, whoever made it
    calls `step`.
    """

    def __init__(
        self,
        *,
        sync: Callable[[int], None] = sync_file,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = SECONDS,
        threaded: bool = True,
    ) -> None:
        self._sync = sync
        self._clock = clock
        self._seconds = seconds
        self._threaded = threaded
        self._files: dict[int, _File] = {}
        self._changed = threading.Condition()
        self._news = False
        self._thread: threading.Thread | None = None

    def add(self, fd: int, path: Path, failed: Callable[[OSError], None]) -> None:
        """Takes care of that file from now on. `failed` is told, on this one's thread, when the disk fails it."""
        self._files[fd] = _File(fd, path, failed)

    def wrote(self, fd: int, *, now: bool = False) -> None:
        """Has the file synced in time, or at once. Returns without waiting for it."""
        file = self._files[fd]
        if file.dirty and not now:
            return
        with self._changed:
            file.dirty = True
            file.now = file.now or now
            self._tell()

    def close(self, fd: int) -> None:
        """Has the file synced a last time and closed, soon."""
        with self._changed:
            self._files[fd].closing = True
            try:
                self._tell()
            except OSError:  # nobody else can do it
                _close(self._files.pop(fd))

    def settle(self, seconds: float) -> bool:
        """Whether all that was written is on the disk, after waiting for that up to so long."""
        with self._changed:
            for file in self._files.values():
                file.now = file.dirty
            self._tell()
            return self._changed.wait_for(self._is_settled, seconds)

    def step(self) -> float | None:
        """Syncs what is due. Gives the seconds until something else will be; None when nothing is waiting."""
        for file in self._due():
            self._serve(file)
        with self._changed:
            self._changed.notify_all()
            waiting = [file.synced for file in self._files.values() if file.dirty and not file.broken]
            return max(0.0, min(waiting) + self._seconds - self._clock()) if waiting else None

    def _due(self) -> list[_File]:
        with self._changed:
            over = self._clock() - self._seconds
            files = list(self._files.values())
            return [
                file for file in files if file.closing or file.now or (file.dirty and file.synced <= over)
            ]

    def _serve(self, file: _File) -> None:
        closing = file.closing
        file.now = False
        wanted = file.dirty and not file.broken
        if wanted:
            try:
                self._to_disk(file)
            except OSError as error:
                file.broken = True
                file.failed(error)
        if closing:
            with self._changed:
                del self._files[file.fd]
            _close(file)

    def _to_disk(self, file: _File) -> None:
        file.synced = self._clock()
        file.dirty = False  # what is written from here on is for the next time
        self._sync(file.fd)
        if not file.placed:
            sync_folder(file.path.parent)
            file.placed = True
        if not file.closing:  # who closes it has looked
            check_place(file.fd, file.path)

    def _is_settled(self) -> bool:
        return not any(file.closing or (file.dirty and not file.broken) for file in self._files.values())

    def _tell(self) -> None:
        self._news = True
        self._changed.notify_all()
        if self._threaded and self._thread is None:
            # In the context of its maker: ipykernel finds the cell that a thread belongs to by it.
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=(self._work,), name=NAME, daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                self._thread = None
                raise OSError(errno.EAGAIN, str(error)) from error

    def _work(self) -> None:
        while True:
            seconds = self.step()
            with self._changed:
                if not self._files:
                    self._thread = None  # the next file gets another one
                    return
                if not self._news:
                    self._changed.wait(seconds)
                self._news = False


def _close(file: _File) -> None:
    try:
        os.close(file.fd)
    except OSError as error:  # a network's file system may say only now that it could not write
        file.failed(error)


_syncers: dict[int, Syncer] = {}


def syncer() -> Syncer:
    """The one of this process."""
    pid = os.getpid()  # a fork has the object but not its thread
    return _syncers.get(pid) or _syncers.setdefault(pid, Syncer())


@atexit.register
def _settle() -> None:
    if os.getpid() in _syncers:
        syncer().settle(EXIT_SECONDS)


__all__ = ["Syncer", "check_place", "sync_file", "sync_folder", "syncer"]
