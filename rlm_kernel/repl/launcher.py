"""Where workers come from, as a `WorkerRepl` sees it: a `Launcher` starts them, a `Process` is one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rlm_kernel.errors import WorkerLost
from rlm_kernel.repl.frames import Frame
from rlm_kernel.repl.pack import Packed


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What is called, on the loop thread, when a worker sends a frame and, once, when it is gone. `flood` is how many
    bytes a block may write before its worker is ended."""

    on_frame: Callable[[Frame], None]
    on_lost: Callable[[WorkerLost], None]
    flood: int


class Stream(Protocol):
    """What a worker writes to one of its standard streams."""

    def renew(self) -> None:
        """Starts a new block's output."""
        ...

    def read_all(self) -> None:
        """Takes everything that the worker wrote before it said `done`."""
        ...

    def text(self) -> tuple[str, int]:
        """What the block wrote (the middle left out where it is long), and its true length in characters."""
        ...


class Process(Protocol):
    """One worker. Use on the engine's loop thread only."""

    @property
    def stdout(self) -> Stream:
        """Its standard output."""
        ...

    @property
    def stderr(self) -> Stream:
        """Its standard error."""
        ...

    def send(self, data: dict[str, Any]) -> None:
        """Sends a frame; one to a worker that is already gone is dropped, its end is on the way."""
        ...

    def interrupt(self) -> None:
        """Raises `KeyboardInterrupt` in the running block."""
        ...

    def kill(self, why: str) -> None:
        """Ends the worker and all it started, now; `on_lost` follows."""
        ...

    async def close(self) -> None:
        """Ends the worker and frees what it held; `on_lost` is not called any more."""
        ...


class Launcher(Protocol):
    """Starts the workers of one run. `isolation` is the level that each of them has to prove."""

    isolation: str

    async def start(self, hooks: Hooks, context: Packed | None, *, seed: int) -> Process:
        """A worker that loads its context and then sends an `opened` or `broken` frame; `seed` is where chance starts
        from. Raises `ContextError`, `ReplError`."""
        ...

    async def close(self) -> None:
        """Ends what the launcher keeps for its workers; they are closed before."""
        ...


__all__ = ["Hooks", "Launcher", "Process", "Stream"]
