"""`ReplyCache`: replies in a file that several kernels may share, private to its owner.

It holds a hash of each request and the reply as an event of a trace. The file is worked on in a thread of its
own, so a slow disk holds up no request but those that wait for it. Whatever goes wrong with it, the run goes on
without: nothing here raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from rlm_kernel.errors import TraceError
from rlm_kernel.trace import ModelReplied
from rlm_kernel.trace.codec import from_dict, to_dict
from rlm_kernel.trace.recorder import make_private

FILE_NAME = "replies.sqlite"
LOCK_SECONDS = 5.0
_TABLE = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)"
T = TypeVar("T")


class ReplyCache:
    """The replies kept at `path`. Use on one event loop; `warning` says why replies are not reused, if they are not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warning = ""
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def get(self, key: str) -> ModelReplied | None:
        """The reply kept under the key, or None."""
        if self.warning:
            return None
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._worker(), self._guarded, lambda: self._read(key))
        return _decoded(text)

    def put(self, key: str, reply: ModelReplied) -> None:
        """Keeps the reply, soon; returns at once."""
        if self.warning:
            return
        text = json.dumps(to_dict(reply), separators=(",", ":"))
        self._worker().submit(self._guarded, lambda: self._write(key, text))

    async def close(self) -> None:
        """Writes what is still to be written and closes the file; the next use opens it again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
            thread.shutdown(wait=False)

    def _worker(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rlm-replies")
        return self._thread

    def _guarded(self, work: Callable[[], T]) -> T | None:
        if self.warning:
            return None
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            self.warning = (
                f"replies are not reused: {error} ({self.path.parent.name}/{self.path.name}). "
                "Nothing is lost; delete the file if it is damaged, or run without the cache."
            )
            return None

    def _read(self, key: str) -> object:
        row = self._connect().execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _write(self, key: str, text: str) -> None:
        self._connect().execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, text))

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connected(self.path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # what could be written is; the file may be gone
                connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    # While another kernel opens the file for the first time, SQLite says that it is locked without waiting.
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return _opened(path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _opened(path: Path) -> sqlite3.Connection:
    make_private(path.parent)
    # Made before SQLite does, which would let others read it; its journals get the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        # Readers and a writer do not wait for each other, and a power cut costs the last replies at most.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_TABLE)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _decoded(text: object) -> ModelReplied | None:
    # A row that makes no sense is none: the reply is asked for, and replaces it.
    try:
        data = json.loads(text) if isinstance(text, str) else None
        event = from_dict(data) if isinstance(data, dict) else None
    except (ValueError, RecursionError, TraceError):
        return None
    return event if isinstance(event, ModelReplied) else None


__all__ = ["FILE_NAME", "LOCK_SECONDS", "ReplyCache"]
