"""`KernelLauncher`: workers on other machines, each in a kernel that `jupyter_client` starts from a kernelspec.

In the kernel a relay starts a bridge, and the bridge a worker as on any system (`tunnel.py`, `child/relay.py`, `bridge.py`).
The machine needs Python 3.11, and nothing of ours: the package is sent along. The worker is guarded where that machine
offers it; its `opened` frame says which level it has. Runs on the engine's loop thread.
"""

from __future__ import annotations

import asyncio
import mmap
import time
from typing import Any

from rlm_kernel.errors import ConfigError, ProtocolError, WorkerLost
from rlm_kernel.repl.frames import FrameParser, pack
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.tunnel import CLOSE_SECONDS, Tunnel

KERNEL = "kernel:"
KILL_SECONDS = 2.0
"""How long a worker may take to end before its kernel is ended."""
PING_SECONDS = 5.0
SILENCE_SECONDS = 45.0
"""After which a kernel that answers nothing is taken for gone."""
MAX_TOLD = 2_000_000
"""Characters; what a stream keeps is less."""
_PIECE = 2**20


class KernelLauncher:
    """Starts a kernel of that name for each worker. Raises `ConfigError` for one that is not installed."""

    def __init__(self, spec: str, *, terms: Terms) -> None:
        check(spec)
        self.isolation = KERNEL + spec
        self._spec = spec
        self._terms = terms
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self, hooks: Hooks, context: Packed | None, *, seed: int) -> KernelProcess:
        """A new worker; see `Launcher.start`."""
        process = KernelProcess(self._spec, hooks)
        try:
            await process.begin(self._terms, context, seed=seed)
        except BaseException:
            # Whoever waited may have been cancelled: that must not leave a kernel behind.
            task = asyncio.create_task(process.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            raise
        return process

    async def close(self) -> None:
        """Waits a moment for kernels whose start was broken off."""
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=CLOSE_SECONDS)


class KernelProcess:
    """One worker, with the kernel it is in; see `Process`."""

    def __init__(self, spec: str, hooks: Hooks) -> None:
        self._hooks = hooks
        self._loop = asyncio.get_running_loop()
        self._parser = FrameParser()
        self._tunnel = Tunnel(spec, self._hear, self._lose)
        self._pinging: asyncio.Task[None] | None = None
        self._lost = self._closed = False
        self._why_killed = ""
        self.stdout = Told(self)
        self.stderr = Told(self)

    async def begin(self, terms: Terms, context: Packed | None, *, seed: int) -> None:
        """Starts the kernel, and in it the worker with its context. Raises `ConfigError`, `ReplError`."""
        await self._tunnel.open()
        self._pinging = self._loop.create_task(self._ping())
        size = context.size if context else 0
        if context is not None and size:
            await self._send_context(context)
        order = {"op": "start", "route": context.route if context else "none", "size": size, "seed": seed}
        own = {"memory_bytes": terms.memory_bytes, "readable": list(terms.readable)}
        self._order({**order, **own, "flood": self._hooks.flood})

    async def _send_context(self, context: Packed) -> None:
        with mmap.mmap(context.fd, context.size, access=mmap.ACCESS_READ) as data:
            for start in range(0, context.size, _PIECE):
                self._order({"op": "context"}, data[start : start + _PIECE])
                await self._tunnel.drain()

    def send(self, data: dict[str, Any]) -> None:
        """Sends a frame; see `Process.send`."""
        self._order({"op": "send", "frame": data})

    def interrupt(self) -> None:
        """Raises `KeyboardInterrupt` in the running block."""
        self._order({"op": "interrupt"})

    def kill(self, why: str) -> None:
        """Ends the worker, and its kernel when that does not help; `on_lost` follows."""
        self._why_killed = self._why_killed or why
        self._order({"op": "kill", "why": why})
        self._loop.call_later(KILL_SECONDS, self._lose, why)

    async def close(self) -> None:
        """Ends the kernel, and what is in it; see `Process.close`."""
        self._closed = True
        if self._pinging is not None:
            self._pinging.cancel()
        await self._tunnel.close()

    def renew(self) -> None:
        """Starts a new block's output."""
        self._order({"op": "renew"})

    def _order(self, order: dict[str, Any], blob: bytes = b"") -> None:
        self._tunnel.send(pack(order, blob))

    async def _ping(self) -> None:
        patience = SILENCE_SECONDS
        while time.monotonic() < self._tunnel.heard + patience:
            self._order({"op": "ping"})
            await asyncio.sleep(PING_SECONDS)
        self._lose(f"its kernel has not answered for {patience:g} s")

    def _hear(self, data: bytes) -> None:
        try:
            for frame in self._parser.feed(data):
                self._understand(*frame)
        except (ProtocolError, KeyError, TypeError, ValueError) as error:
            self._lose(f"it broke the protocol: {error}")

    def _understand(self, data: dict[str, Any], blob: bytes) -> None:
        if self._closed or self._lost:
            return
        match data["op"]:
            case "frame":
                self._hooks.on_frame((checked(data["frame"]), blob))
            case "said":
                self.stdout.said = told(data["stdout"])
                self.stderr.said = told(data["stderr"])
            case "lost":
                code = data["code"]
                self._lose(str(data["why"]), code if isinstance(code, int) else None)
            case "failed":
                self._lose(str(data["message"]))
            case "pong":
                pass
            case other:
                raise ProtocolError(f"unknown frame {other!r}")

    def _lose(self, why: str, code: int | None = None) -> None:
        if not self._lost and not self._closed:
            self._lost = True
            self._hooks.on_lost(WorkerLost(self._why_killed or why, exit_code=code))


class Told:
    """A `Stream` that is told from afar."""

    def __init__(self, process: KernelProcess) -> None:
        self._process = process
        self.said = "", 0

    def renew(self) -> None:
        """Starts a new block's output."""
        self.said = "", 0
        if self is self._process.stdout:  # both begin together
            self._process.renew()

    def read_all(self) -> None:
        """Nothing: all of it is told before `done` is."""

    def text(self) -> tuple[str, int]:
        """What the block wrote, as far as it was told."""
        return self.said


def checked(frame: Any) -> dict[str, Any]:
    """A frame of the worker as the bridge handed it on. Raises `ProtocolError`."""
    if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
        raise ProtocolError("a frame is not an object with an 'op'")
    return frame


def told(said: Any) -> tuple[str, int]:
    """What a stream said, and its length. Raises `ProtocolError`."""
    match said:
        case [str(text), int(chars)] if len(text) <= MAX_TOLD:
            return text, chars
    raise ProtocolError("what a block wrote is not a text and its length")


def check(spec: str) -> None:
    """Raises `ConfigError` where no Python kernel of that name is installed."""
    from jupyter_client.kernelspec import KernelSpecManager  # slow to import, and few runs need it

    specs = {name: each["spec"] for name, each in KernelSpecManager().get_all_specs().items()}
    pythons = [name for name, each in specs.items() if str(each.get("language", "")).lower() == "python"]
    if spec in pythons:
        return
    what = f"the kernel {spec!r} is not for Python" if spec in specs else f"there is no kernel {spec!r}"
    listed = ", ".join(sorted(pythons)) or "none (jupyter kernelspec list)"
    raise ConfigError(f"{what}; installed for Python are: {listed}", setting="isolation")


__all__ = [
    "KERNEL",
    "KILL_SECONDS",
    "MAX_TOLD",
    "KernelLauncher",
    "KernelProcess",
    "Told",
    "check",
    "checked",
    "told",
]
