"""`Watch`: looks from outside at what a worker takes, where no limit of the system stops it.

Memory that is shared, and memory behind files, is in none of the limits that a process can have; nor is the space of
many small files. Runs on the loop thread; folders are measured in a thread of their own.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

MEMORY_SECONDS = 0.25
FOLDER_SECONDS = 2.0
FOLDER_BYTES = 4 * 2**30
FOLDER_FILES = 200_000
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_BLOCK = 512  # in which st_blocks counts on Linux, whatever the file system's own are


class Watch:
    """Calls `on_excess`, once, with what was too much: more than `memory_bytes` (None without that limit), beside
    `own_bytes` and what the process has now, or files that grow without end."""

    def __init__(
        self,
        pid: int,
        folder: str,
        memory_bytes: int | None,
        on_excess: Callable[[str], None],
        *,
        own_bytes: int = 0,
    ) -> None:
        self._pid = pid
        self._folder = folder
        self._memory = memory_bytes
        self._own = own_bytes
        self._on_excess = on_excess
        self._looking = asyncio.get_running_loop().create_task(self._look())

    def stop(self) -> None:
        """Looks no more."""
        self._looking.cancel()

    async def _look(self) -> None:
        least = resident(self._pid) + self._own
        looks = round(FOLDER_SECONDS / MEMORY_SECONDS)
        while True:
            for _ in range(looks):
                await asyncio.sleep(MEMORY_SECONDS)
                if self._memory is not None and resident(self._pid) > least + self._memory:
                    self._on_excess(
                        f"it used more than the {self._memory / 2**20:,.0f} MB of memory that it may have"
                    )
                    return
            excess = await asyncio.to_thread(excess_of, self._folder, self._pid)
            if excess:
                self._on_excess(excess)
                return


def resident(pid: int) -> int:
    """The bytes of memory that the process holds, shared ones too; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def excess_of(folder: str, pid: int) -> str:
    """What is too much about a worker's files, in words; empty when nothing is."""
    hidden: list[OSError] = []
    size, files = nameless(pid), 0
    for parent, folders, names in os.walk(folder, onerror=hidden.append):
        files += len(folders) + len(names)
        size += sum(_blocks(os.path.join(parent, name)) for name in names)
        if size > FOLDER_BYTES:
            return f"it wrote more than {FOLDER_BYTES:,} bytes of files"
        if files > FOLDER_FILES:
            return f"it made more than {FOLDER_FILES:,} files"
    closed = [error for error in hidden if not isinstance(error, FileNotFoundError | NotADirectoryError)]
    return f"it made a folder that cannot be looked into ({closed[0].strerror})" if closed else ""


def nameless(pid: int) -> int:
    """The bytes of files that a process has open and that are in no folder: deleted ones, and those in memory."""
    folder, size = f"/proc/{pid}/fd", 0
    try:
        numbers = os.listdir(folder)
    except OSError:
        return 0  # it is gone
    for number in numbers:
        try:
            facts = os.stat(f"{folder}/{number}")
        except OSError:
            continue  # closed meanwhile
        if stat.S_ISREG(facts.st_mode) and not facts.st_nlink:
            size += facts.st_blocks * _BLOCK
    return size


def _blocks(path: str) -> int:
    """The bytes that a file takes: one with holes takes less than it is long."""
    try:
        return os.lstat(path).st_blocks * _BLOCK
    except OSError:
        return 0  # gone meanwhile


__all__ = ["Watch", "excess_of", "nameless", "resident"]
