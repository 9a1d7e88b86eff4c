"""`PortableLauncher`: workers for systems that have no zygote, no landlock, no descriptors of processes.

Each worker is a clean interpreter of its own. Frames go down over its standard input and come up over a pipe that it
inherits; it gets the file of its context in the same way. Threads read and write the pipes and hand over to the engine's
loop thread, where all else of this module runs. When the engine is gone the input ends, and the worker with it: where
nothing else ends it (macOS), after the call into C that it may be in.

The tests run all of this on Linux, and there as a system that has less: no SIGINT for one process, no limits of memory.
On macOS and on Windows it has never been run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from typing import Any

from rlm_kernel.errors import ProtocolError, ReplError, WorkerLost
from rlm_kernel.repl.folders import discard, make_folder
from rlm_kernel.repl.frames import FrameParser, pack
from rlm_kernel.repl.launcher import Hooks
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.pipes import Reader, Tap, Writer, start_thread
from rlm_kernel.repl.process import cause
from rlm_kernel.repl.system import System, this_system
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.zygote import ISOLATED, OURS, ROOT

BOOT = OURS + "from rlm_kernel.repl.child.portable import main; main({up})"
POLL_SECONDS = 0.25
"""How often the memory of a worker is looked at that cannot limit it itself."""
_CHUNKS = 16  # as many pieces of 256 KB may wait for the loop thread
_OWN_MEMORY = 256 * 2**20
_COPIES = 8  # a context takes more memory than bytes, and its bytes beside that while it is loaded


class PortableLauncher:
    """Workers that are started one by one, under those terms."""

    def __init__(self, terms: Terms, *, system: System | None = None) -> None:
        self.isolation = terms.isolation
        self._terms = terms
        self._system = system or this_system()

    async def start(self, hooks: Hooks, context: Packed | None, *, seed: int) -> PortableProcess:
        """A new worker; see `Launcher.start`."""
        return PortableProcess(hooks, self._system, self._terms, context, seed=seed)

    async def close(self) -> None:
        """Nothing is kept between workers."""


class PortableProcess:
    """One worker; see `Process`. It is started by making it. Raises `ReplError`."""

    def __init__(
        self, hooks: Hooks, system: System, terms: Terms, context: Packed | None, *, seed: int
    ) -> None:
        self._hooks = hooks
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._parser = FrameParser()
        self._room = threading.Semaphore(_CHUNKS)
        self._opened = self._ended = self._closing = False
        self._closed = threading.Event()
        self._why_killed = ""
        self._workdir = make_folder()
        self._memory = None if terms.memory_bytes is None else terms.memory_bytes + _allowance(context)
        self._up = Reader(self._pass_on, "rlm-frames")
        self.stdout = Tap("rlm-stdout", lambda: self._call(self._on_flood), hooks.flood)
        self.stderr = Tap("rlm-stderr", lambda: self._call(self._on_flood), hooks.flood)
        try:
            self._start(context)
        except OSError as error:
            self._stop_reading()
            discard(self._workdir)
            raise ReplError(f"no worker can be started: {error}") from error
        start_thread(self._wait, "rlm-wait")
        self._watch_memory()
        self.send(self._order(terms, context, seed))

    def _start(self, context: Packed | None) -> None:
        files = [self._up.write_fd, *([context.fd] if context and context.fd >= 0 else [])]
        theirs, ours = os.pipe()
        boot = BOOT.format(root=ROOT, up=self._system.number(self._up.write_fd))
        try:
            self._child = self._system.start(
                [sys.executable, *ISOLATED, "-c", boot],
                files,
                memory=self._memory,
                stdin=theirs,
                stdout=self.stdout.write_fd,
                stderr=self.stderr.write_fd,
                cwd=self._workdir,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._writer = Writer(ours, "rlm-orders")

    def _order(self, terms: Terms, context: Packed | None, seed: int) -> dict[str, Any]:
        order = terms.order(self._workdir, context, seed=seed)
        if not self._system.limits:
            order["memory_bytes"] = None
        held = context is not None and context.fd >= 0
        file = self._system.number(context.fd) if context is not None and held else -1
        return {**order, "file": file, "parent": os.getpid()}

    def send(self, data: dict[str, Any]) -> None:
        """Sends a frame; see `Process.send`."""
        self._writer.write(pack(data))

    def interrupt(self) -> None:
        """Raises `KeyboardInterrupt` in the running block."""
        if self._system.signals:
            self._child.interrupt()
        else:
            self.send({"op": "interrupt"})

    def kill(self, why: str) -> None:
        """Ends the worker and all it started, now; `on_lost` follows."""
        self._why_killed = self._why_killed or why
        self._child.kill()

    async def close(self) -> None:
        """Ends the worker and frees what it held; see `Process.close`."""
        if self._closing:
            return
        self._closing = True
        self._child.kill()
        self._room.release(_CHUNKS)  # nothing is passed on any more
        self._writer.stop()
        self._stop_reading()
        self._closed.set()

    def _stop_reading(self) -> None:
        for each in (self._up, self.stdout, self.stderr):
            each.stop()

    def _on_flood(self) -> None:
        self.kill(f"it wrote more than {self._hooks.flood:,} bytes of output")

    def _pass_on(self, data: bytes) -> None:
        # In the reader's thread: it waits where the loop thread has enough to do.
        self._room.acquire()
        self._call(lambda: self._hear(data))

    def _hear(self, data: bytes) -> None:
        self._room.release()
        if self._closing:
            return
        try:
            for frame in self._parser.feed(data):
                self._opened = True
                self._hooks.on_frame(frame)
        except ProtocolError as error:
            self.kill(f"it broke the protocol: {error}")

    def _wait(self) -> None:
        code = self._child.wait()
        self._up.flush()  # what it sent last is heard before its end
        self._call(lambda: self._die(code))
        self._closed.wait()
        discard(self._workdir)

    def _die(self, code: int) -> None:
        self._ended = True
        if not self._closing:
            self._hooks.on_lost(WorkerLost(self._why_killed or self._cause(code), exit_code=code))

    def _cause(self, code: int) -> str:
        if self._opened:
            return cause(code)
        self.stderr.read_all()
        said = self.stderr.text()[0].strip().rpartition("\n")[2]  # of a traceback, what it is about
        return f"{cause(code)} before it was ready" + (f": {said}" if said else "")

    def _call(self, work: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is about to end
            self._loop.call_soon_threadsafe(work)

    def _watch_memory(self) -> None:
        if self._memory is None or self._system.limits or self._ended or self._closing:
            return
        used = _resident(self._child.pid)
        if used > self._memory:
            self.kill(f"it had {used / 2**20:,.0f} MB of memory, more than it may have")
        self._loop.call_later(POLL_SECONDS, self._watch_memory)


def _allowance(context: Packed | None) -> int:
    """The memory that a worker has for itself and its context."""
    return _OWN_MEMORY + _COPIES * (context.size if context else 0)


def _resident(pid: int) -> int:
    """The bytes of memory that a process has; 0 when it is gone."""
    import psutil  # only where a worker cannot limit itself

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


__all__ = ["BOOT", "POLL_SECONDS", "PortableLauncher", "PortableProcess"]
