"""`Watch`: looks from outside at what a worker takes, where no limit of the system stops it.

Memory that is shared, and memory behind files, is in none of the limits that a process can have; nor is the space of
many small files. Runs on the loop thread; folders are measured in a thread of their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

MEMORY_SECONDS = 0.25
FOLDER_SECONDS = 2.0
FOLDER_BYTES = 4 * 2**30
FOLDER_FILES = 200_000
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Watch:
    """Calls `on_excess`, once, with what was too much: memory beyond `memory_bytes` more than the process has now
    (None without that limit), or a folder that grows without end."""

    def __init__(
        self, pid: int, folder: str, memory_bytes: int | None, on_excess: Callable[[str], None]
    ) -> None:
        self._pid = pid
        self._folder = folder
        self._memory = memory_bytes
        self._on_excess = on_excess
        self._looking = asyncio.get_running_loop().create_task(self._look())

    def stop(self) -> None:
        """Looks no more."""
        self._looking.cancel()

    async def _look(self) -> None:
        limit = None if self._memory is None else resident(self._pid) + self._memory
        looks = round(FOLDER_SECONDS / MEMORY_SECONDS)
        while True:
            for _ in range(looks):
                await asyncio.sleep(MEMORY_SECONDS)
                if limit is not None and resident(self._pid) > limit:
                    self._on_excess(f"it used more than {self._memory or 0:,} bytes of memory")
                    return
            excess = await asyncio.to_thread(excess_of, self._folder)
            if excess:
                self._on_excess(excess)
                return


def resident(pid: int) -> int:
    """The bytes of memory that the process holds, shared ones too; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def excess_of(folder: str) -> str:
    """What is too much about a worker's folder, in words; empty when nothing is."""
    size = files = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            files += 1
            try:
                size += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue  # gone meanwhile
            if size > FOLDER_BYTES:
                return f"it wrote more than {FOLDER_BYTES:,} bytes of files"
            if files > FOLDER_FILES:
                return f"it wrote more than {FOLDER_FILES:,} files"
    return ""


__all__ = ["Watch", "excess_of", "resident"]
