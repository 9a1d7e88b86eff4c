"""`ZygoteLauncher` and the workers it starts: forked by a zygote, spoken to over a socket pair, interrupted, killed.

All of it runs on the engine's loop thread. A worker has none of the user's environment and a session of its own: a
signal meant for the kernel never reaches it, and killing its group takes along whatever it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlm_kernel.errors import ContextError, ProtocolError, WorkerLost
from rlm_kernel.repl.child.settle import CONTEXT_GROWS
from rlm_kernel.repl.child.zygote import PRELOADED
from rlm_kernel.repl.folders import clear, make_folder
from rlm_kernel.repl.frames import FrameParser, pack
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.output import Drain
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.watch import Watch
from rlm_kernel.repl.zygote import Born, Zygote, base_zygote

PRELOAD_BYTES = 2**20
"""From this size on a context is loaded once, for all workers."""
LAST_SECONDS = 0.1
"""How long a worker whose line has ended may take to end by itself, which says more than being killed."""
DEATH_SECONDS = 2.0
_PLAIN = ("none", "text", "bytes", "marshal")  # no import is needed to load them


class ZygoteLauncher:
    """Workers forked from a zygote. `context` is the root's: the calls that have it share one copy."""

    def __init__(self, terms: Terms, context: Packed | None = None) -> None:
        self.isolation = terms.isolation
        self._terms = terms
        self._context = context
        self._loading: asyncio.Task[Zygote | None] | None = None
        self._folder = ""

    async def start(self, hooks: Hooks, context: Packed | None, *, seed: int) -> WorkerProcess:
        """A new worker; see `Launcher.start`."""
        holder = await self._holder() if context is not None and context is self._context else None
        worker = WorkerProcess(hooks, self._make_folder())
        order = self._terms.order(worker.workdir, context, seed=seed)
        fds = [context.fd] if context is not None and context.fd >= 0 else []
        if holder is not None:
            order, fds = {**order, "route": PRELOADED, "own_bytes": 0}, []
        try:
            await worker.begin(holder or await self.base(), order, fds)
            worker.limit(self._terms.memory_bytes, _own_bytes(context, loaded=holder is not None))
        except BaseException:
            await worker.close()
            raise
        return worker

    async def close(self) -> None:
        """Ends the process that holds the context."""
        if self._loading is not None:
            self._loading.cancel()
            (holder,) = await asyncio.gather(self._loading, return_exceptions=True)
            if isinstance(holder, Zygote):
                holder.close()
            clear(self._folder)

    async def base(self) -> Zygote:
        """A zygote without a context."""
        return await base_zygote()

    def _make_folder(self) -> str:
        return make_folder()

    async def _holder(self) -> Zygote | None:
        """The zygote that has the context; none where each worker loads it by itself."""
        context = self._context
        assert context is not None
        if not context.forkable or (context.route in _PLAIN and context.size < PRELOAD_BYTES):
            return None
        lost = self._loading is not None and self._loading.done() and not _alive(self._loading)
        if self._loading is None or lost:
            self._loading = asyncio.create_task(self._load(context))
        return await asyncio.shield(self._loading)

    async def _load(self, context: Packed) -> Zygote | None:
        self._folder = self._folder or self._make_folder()
        base = await self.base()
        holder, said = await base.load(self._terms.order(self._folder, context, seed=0), context.fd)
        if said["op"] == "broken":
            raise broken_context(said["message"], context.card.type)
        return holder


class WorkerProcess(asyncio.Protocol):
    """One worker; see `Process`."""

    stdout: Drain
    stderr: Drain

    def __init__(self, hooks: Hooks, workdir: str) -> None:
        self.workdir = workdir
        self._hooks = hooks
        self._parser = FrameParser()
        self._loop = asyncio.get_running_loop()
        self._dead: asyncio.Future[int | None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._zygote: Zygote | None = None
        self._born: Born | None = None
        self._drains: list[Drain] = []
        self._watch: Watch | None = None
        self._closing = False
        self._why_killed = ""

    async def begin(self, zygote: Zygote, order: dict[str, Any], context: Sequence[int]) -> None:
        """Has the zygote fork it, with the files of its context. Raises `ReplError`."""
        self._zygote = zygote
        ours, theirs = socket.socketpair()
        out, into_out = os.pipe()
        err, into_err = os.pipe()
        self._drain(out, err)
        try:
            born = await zygote.fork(order, [theirs.fileno(), into_out, into_err, *context], self._die)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(into_out)
            os.close(into_err)
        self._born = born
        if self._dead.done():
            os.close(born.gone)  # both were heard at once
        await self._loop.create_connection(lambda: self, sock=ours)

    def limit(self, memory_bytes: int | None, own_bytes: int) -> None:
        """Has it ended when it takes more than `memory_bytes`, beside what it has and `own_bytes`."""
        if self._born is None or self._dead.done():
            return
        pid = pid_of(self._born.gone)
        self._watch = Watch(pid, self.workdir, memory_bytes, self.kill, own_bytes=own_bytes)

    def _drain(self, out: int, err: int) -> None:
        self.stdout = Drain(out, self._on_flood, self._hooks.flood)
        self.stderr = Drain(err, self._on_flood, self._hooks.flood)
        self._drains = [self.stdout, self.stderr]
        for drain in self._drains:
            self._loop.add_reader(drain.fd, self._readable, drain)

    def _readable(self, drain: Drain) -> None:
        drain.read()
        if not drain.open:
            self._loop.remove_reader(drain.fd)

    def _on_flood(self) -> None:
        self.kill(f"it wrote more than {self._hooks.flood:,} bytes of output")

    def send(self, data: dict[str, Any]) -> None:
        """Sends a frame; see `Process.send`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pack(data))

    def interrupt(self) -> None:
        """Raises `KeyboardInterrupt` in the running block."""
        self._signal(signal.SIGINT)

    def kill(self, why: str) -> None:
        """Ends the process and all it started, now; `on_lost` follows."""
        self._why_killed = self._why_killed or why
        self._kill_group()

    async def close(self) -> None:
        """Ends the process and frees what it held. Nothing it wrote is lost: the engine has it."""
        if self._closing:
            return
        self._closing = True
        self._kill_group()
        if self._watch is not None:
            self._watch.stop()
        for drain in self._drains:
            self._loop.remove_reader(drain.fd)
            drain.close()
        if self._transport is not None:
            self._transport.close()
        if self._born is None:
            clear(self.workdir)

    def _kill_group(self) -> None:
        self._signal(signal.SIGKILL)
        if self._zygote is not None and self._born is not None and not self._dead.done():
            self._zygote.kill(self._born.number)

    def _signal(self, number: signal.Signals) -> None:
        if self._born is not None and not self._dead.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._born.gone, number)

    def _die(self, code: int | None) -> None:
        self._dead.set_result(code)
        if self._born is not None:
            os.close(self._born.gone)
        clear(self.workdir)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._parser.feed(data):
                self._hooks.on_frame(frame)
        except ProtocolError as error:
            self.kill(f"it broke the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing:
            return
        self._reporting = self._loop.create_task(self._report_lost())

    async def _report_lost(self) -> None:
        await asyncio.wait((self._dead,), timeout=LAST_SECONDS)
        if not self._dead.done():
            self.kill("it ended its line to the engine")
            await asyncio.wait((self._dead,), timeout=DEATH_SECONDS)
        if not self._closing:
            code = self._dead.result() if self._dead.done() else None
            self._hooks.on_lost(WorkerLost(self._why_killed or cause(code), exit_code=code))


def _own_bytes(context: Packed | None, *, loaded: bool) -> int:
    """The memory that a worker may come to have for its context alone."""
    if context is None:
        return 0
    return context.size if loaded else CONTEXT_GROWS * context.size  # a part of what is loaded is only mapped


def pid_of(descriptor: int) -> int:
    """The number that the process of such a descriptor has here, which in a namespace of its own is another one; 0 when
    it is gone."""
    facts = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii")
    pids = (line.split()[1] for line in facts.splitlines() if line.startswith("Pid:"))
    return max(0, int(next(pids, 0)))


def broken_context(message: str, type_name: str) -> ContextError:
    """The error for a context that arrived but cannot be rebuilt in the worker."""
    return ContextError(
        f"the context (a {type_name}) cannot be rebuilt in the child namespace: {message}. "
        "What it is made of has to be importable there: install the module, or pass its data instead (a dict, a list, "
        "a text, a DataFrame).",
        type_name=type_name,
    )


def cause(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "it ended"
    if code >= 0:
        return f"it ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
    return f"it was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _alive(loading: asyncio.Task[Zygote | None]) -> bool:
    """Whether what was loaded is still to be used."""
    if loading.cancelled() or loading.exception():
        return False
    holder = loading.result()
    return holder is None or holder.alive


__all__ = ["WorkerProcess", "ZygoteLauncher", "broken_context", "cause", "pid_of"]
