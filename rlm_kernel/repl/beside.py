"""Two threads where that pays: hashing and writing let go of the interpreter, so they can be done side by side."""

from __future__ import annotations

import contextvars
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Queue
from typing import Any

WORTH_A_THREAD = 2 * 2**20
_AHEAD = 3  # pieces that may wait to be hashed


class HashBeside:
    """The SHA-256 of pieces, made by a second thread once there are enough of them. Leave it, however that comes about,
    and no thread is left."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._seen = 0
        self._pieces: Queue[Any] = Queue(_AHEAD)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> HashBeside:
        return self

    def __exit__(self, *error: object) -> None:
        self._finish()

    def add(self, piece: Any) -> None:
        """Counts a piece in; it must not change any more."""
        self._seen += len(piece)
        if self._thread is None and self._seen < WORTH_A_THREAD:
            self._digest.update(piece)
            return
        if self._thread is None:
            self._thread = _started(self._work)
        self._pieces.put(piece)

    def hexdigest(self) -> str:
        """The hash of all pieces."""
        self._finish()
        return self._digest.hexdigest()

    def _finish(self) -> None:
        if self._thread is not None:
            self._pieces.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._digest.update(piece)


def results_beside(jobs: Sequence[Callable[[], bytes]], work: Callable[[], object]) -> list[bytes]:
    """The results of the jobs, in order, done by a second thread while this one does `work`, and then by both. When
    something is raised here or there, the rest is left undone and no thread is left."""
    todo = deque(enumerate(jobs))
    results = [b""] * len(jobs)
    failed: list[Exception] = []

    def help_out() -> None:
        while todo:
            try:
                place, job = todo.popleft()
            except IndexError:
                return  # the other one was faster
            results[place] = job()

    def beside() -> None:
        try:
            help_out()
        except Exception as error:  # noqa: BLE001 - it is raised in the other thread
            failed.append(error)
            todo.clear()

    thread = _started(beside)
    try:
        work()
        help_out()
    finally:
        todo.clear()
        thread.join()
    if failed:
        raise failed[0]
    return results


def _started(work: Callable[[], None]) -> threading.Thread:
    # In the caller's context, as a notebook tells by it which cell something belongs to.
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(work,), name="rlm-hash", daemon=True
    )
    thread.start()
    return thread


__all__ = ["WORTH_A_THREAD", "HashBeside", "results_beside"]
