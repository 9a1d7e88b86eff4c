"""`Progress`: how far a request has come, as whoever sends it sees it."""

from __future__ import annotations

from contextvars import ContextVar


class Progress:
    """How far a request has come, over all its tries. `sent` says that it may have reached the server; `status` is
    the answer to the last try, None where there was none; `under_way` that a try is not over yet."""

    __slots__ = ("sent", "status", "tries", "under_way")

    def __init__(self) -> None:
        self.tries = 0
        self.sent = False
        self.status: int | None = None
        self.under_way = False


PROGRESS: ContextVar[Progress | None] = ContextVar("PROGRESS", default=None)
"""Of the request that this task makes."""

__all__ = ["PROGRESS", "Progress"]
