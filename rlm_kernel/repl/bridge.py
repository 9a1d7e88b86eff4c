"""The bridge: a `PortableLauncher` on another machine, spoken to over its standard input and output.

It starts one worker, and hands frames on, in both directions. Its input ends when the kernel that started it is gone; then
it ends its worker and removes what was unpacked for it.

Orders: `context` (a piece of its bytes), `start`, `send` (a frame), `renew`, `interrupt`, `kill`, `ping`. What it says:
`frame` (one of the worker's), `said` (what the block wrote so far), `lost`, `failed`, `pong`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from rlm_kernel.errors import RLMError, WorkerLost
from rlm_kernel.repl.frames import Frame, FrameParser, pack
from rlm_kernel.repl.guard import guard, reach
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.pipes import Writer, start_thread
from rlm_kernel.repl.portable import PortableLauncher, PortableProcess
from rlm_kernel.repl.terms import Terms, memory_for
from rlm_kernel.trace import ContextCard

PROGRESS_SECONDS = 0.5
"""How often it is told what a running block wrote."""
_READ = 1 << 20


def main(root: str, path: Sequence[str]) -> None:
    """Serves until the input ends. `root` is where this package was unpacked, `path` where workers look for modules."""
    up = os.dup(1)
    os.dup2(2, 1)
    try:
        asyncio.run(_serve(up, tuple(path)))
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _serve(up: int, path: tuple[str, ...]) -> None:
    bridge = Bridge(Writer(up, "rlm-up"), path)
    loop, parser, ended = asyncio.get_running_loop(), FrameParser(), asyncio.Event()

    def take(data: bytes) -> None:
        for frame in parser.feed(data):
            bridge.obey(frame)

    def read() -> None:
        while data := os.read(0, _READ):
            loop.call_soon_threadsafe(take, data)
        loop.call_soon_threadsafe(ended.set)

    start_thread(read, "rlm-down")
    await ended.wait()
    await bridge.close()


class Bridge:
    """Does what it is told, and tells what happens."""

    def __init__(self, up: Writer, path: tuple[str, ...]) -> None:
        self._up = up
        self._path = path
        self._context = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process
        self._process: PortableProcess | None = None
        self._starting: asyncio.Task[None] | None = None
        self._told: dict[str, Any] = {}
        self._progress = asyncio.create_task(self._tell_progress())

    def obey(self, frame: Frame) -> None:
        """Takes one order."""
        order, blob = frame
        match order["op"]:
            case "context":
                self._context.write(blob)
            case "start":
                self._starting = asyncio.create_task(self._start(order))
            case "ping":
                self._tell({"op": "pong"})
            case _ if self._process is not None:
                self._pass_on(self._process, order)

    async def close(self) -> None:
        """Ends the worker."""
        self._progress.cancel()
        if self._process is not None:
            await self._process.close()

    def _pass_on(self, process: PortableProcess, order: dict[str, Any]) -> None:
        match order["op"]:
            case "send":
                process.send(order["frame"])
            case "renew":
                process.stdout.renew()
                process.stderr.renew()
                self._told = {}
            case "interrupt":
                process.interrupt()
            case "kill":
                process.kill(order["why"])

    async def _start(self, order: dict[str, Any]) -> None:
        self._context.flush()
        fd = self._context.fileno() if order["size"] else -1
        card = ContextCard(name="context", type="value")
        context = Packed(card=card, route=order["route"], fd=fd, size=order["size"])
        hooks = Hooks(on_frame=self._on_frame, on_lost=self._on_lost, flood=order["flood"])
        try:
            launcher = PortableLauncher(self._terms(order))
            self._process = await launcher.start(hooks, context, seed=order["seed"])
        except (RLMError, OSError) as error:
            self._tell({"op": "failed", "message": str(error)})

    def _terms(self, order: dict[str, Any]) -> Terms:
        """The best that this machine offers."""
        guarded = not guard.offered()
        readable = order["readable"]
        cwd, home = os.getcwd(), os.path.expanduser("~")
        return Terms(
            isolation="guarded" if guarded else "worker",
            guard=guarded,
            memory_bytes=order["memory_bytes"] or memory_for(None),
            readable=tuple(reach.readable(self._path, cwd=cwd, home=home, extra=readable)) if guarded else (),
            path=self._path,
        )

    def _on_frame(self, frame: Frame) -> None:
        data, blob = frame
        if data["op"] == "done":
            self._tell_said()
        self._tell({"op": "frame", "frame": data}, blob)

    def _on_lost(self, lost: WorkerLost) -> None:
        self._tell_said()
        self._tell({"op": "lost", "why": str(lost), "code": lost.exit_code})

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._tell_said()

    def _tell_said(self) -> None:
        if self._process is None:
            return
        streams = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        for stream in streams.values():
            stream.read_all()
        said = {name: list(stream.text()) for name, stream in streams.items()}
        if said != self._told:
            self._told = said
            self._tell({"op": "said", **said})

    def _tell(self, data: dict[str, Any], blob: bytes = b"") -> None:
        self._up.write(pack(data, blob))


__all__ = ["PROGRESS_SECONDS", "Bridge", "main"]
