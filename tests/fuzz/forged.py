"""A worker whose every frame is forged, and a block that is run by it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from rlm_kernel.errors import ProtocolError, WorkerLost
from rlm_kernel.repl.base import BlockResult, SubcallBatch, SubcallResult
from rlm_kernel.repl.frames import FrameParser, pack
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.worker import WorkerRepl


class Quiet:
    """A stream to which nothing is written."""

    def renew(self) -> None:
        """Nothing was written."""

    def read_all(self) -> None:
        """Nothing is to come."""

    def text(self) -> tuple[str, int]:
        return "", 0


class Forged:
    """A launcher and its one worker, which sends `frames` when it is to run a block, whatever that is."""

    isolation = "worker"

    def __init__(self, frames: Sequence[dict[str, Any]]) -> None:
        self.frames = frames
        self.stdout = self.stderr = Quiet()
        self.parser = FrameParser()
        self.lost = False

    async def start(self, hooks: Hooks, context: Packed | None, *, seed: int) -> Forged:
        self.hooks = hooks
        asyncio.get_running_loop().call_soon(self.say, {"op": "opened", "isolation": "worker"})
        return self

    def send(self, data: dict[str, Any]) -> None:
        if data["op"] == "execute":
            for frame in self.frames:
                asyncio.get_running_loop().call_soon(self.say, frame)

    def say(self, frame: dict[str, Any]) -> None:
        try:
            for each in self.parser.feed(pack(frame)):
                self.hooks.on_frame(each)
        except ProtocolError as error:
            self.kill(str(error))

    def interrupt(self) -> None:
        self.kill("interrupted")

    def kill(self, why: str) -> None:
        if not self.lost:
            self.lost = True
            self.hooks.on_lost(WorkerLost(why))

    async def close(self) -> None:
        """Nothing to free."""


async def run_block(frames: Sequence[dict[str, Any]]) -> BlockResult:
    """What comes of a block whose worker sends these frames."""

    async def serve(batch: SubcallBatch) -> Sequence[SubcallResult]:
        batch.close()
        return [SubcallResult(answer="y") for _ in batch.requests]

    repl = WorkerRepl(Forged(frames), None, block_seconds=5)
    try:
        return await repl.execute("x = 1", name="<rlm:0.1 block 1>", serve=serve)
    finally:
        await repl.close()


__all__ = ["Forged", "run_block"]
