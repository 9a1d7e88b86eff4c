"""The worker process as the engine holds it: started, spoken to over a socket pair, interrupted, killed.

All of it runs on the engine's loop thread, except the wait for a killed process, which a small pool does. A clean
interpreter, none of the user's environment, a session of its own: a signal meant for the kernel never reaches it, and
killing its group takes along whatever it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rlm_kernel.errors import ContextError, ProtocolError, ReplError, WorkerLost
from rlm_kernel.repl.frames import Frame, FrameParser, pack
from rlm_kernel.repl.output import Drain
from rlm_kernel.repl.pack import Packed

_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = "import sys; sys.path.append({root!r}); from rlm_kernel.repl.child.main import main; main({fd})"
_ENVIRONMENT = {
    "MPLBACKEND": "Agg",  # a figure must not look for a screen
    "PYTHONHASHSEED": "0",  # sets come in the same order when the code runs again
}
# As -I isolates, but for the environment, which is ours.
_ISOLATED = ("-s", "-P", "-X", "utf8")
_REAPERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="rlm-reaper")


class WorkerProcess(asyncio.Protocol):
    """One worker. `on_frame` gets every frame it sends; `on_lost` is called once when it is gone."""

    def __init__(
        self, on_frame: Callable[[Frame], None], on_lost: Callable[[WorkerLost], None], flood: int
    ) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._parser = FrameParser()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self._flood = flood
        self.why_killed = ""

    async def start(self, context: Packed | None, *, seed: int) -> None:
        """Starts the process and sends it its context; it answers with an `opened` or `broken` frame.

        `seed` is where chance starts from.
        """
        if sys.platform == "win32":
            raise ReplError("workers need a POSIX system; on Windows run the notebook's kernel under WSL")
        ours, theirs = socket.socketpair()
        self._workdir = tempfile.mkdtemp(prefix="rlm-")
        fds = [theirs.fileno()] + ([context.fd] if context and context.fd >= 0 else [])
        try:
            self._process = self._spawn(theirs.fileno(), fds)
        finally:
            theirs.close()
        await self._loop.create_connection(lambda: self, sock=ours)
        self._drain_streams()
        order = {"op": "open", "path": _search_path(), "seed": seed}
        self.send({**order, **_context_order(context)})

    def _spawn(self, fd: int, fds: list[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *_ISOLATED, "-c", _BOOT.format(root=_ROOT, fd=fd)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_ENVIRONMENT,
            cwd=self._workdir,
            pass_fds=fds,
            start_new_session=True,
        )

    def _drain_streams(self) -> None:
        assert self._process.stdout is not None and self._process.stderr is not None
        self.stdout = Drain(self._process.stdout.fileno(), self._on_flood, self._flood)
        self.stderr = Drain(self._process.stderr.fileno(), self._on_flood, self._flood)
        for drain in (self.stdout, self.stderr):
            self._loop.add_reader(drain.fd, self._readable, drain)

    def _readable(self, drain: Drain) -> None:
        drain.read()
        if not drain.open:
            self._loop.remove_reader(drain.fd)

    def _on_flood(self) -> None:
        self.kill(f"it wrote more than {self._flood:,} bytes of output")

    def send(self, data: dict[str, Any]) -> None:
        """Sends a frame; one to a worker that is already gone is dropped, its end is on the way."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pack(data))

    def interrupt(self) -> None:
        """Raises `KeyboardInterrupt` in the running block."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self, why: str) -> None:
        """Ends the process and all it started, now; `on_lost` follows."""
        self.why_killed = self.why_killed or why
        self._kill_group()

    async def close(self) -> None:
        """Ends the process and frees what it held. Nothing it wrote is lost: the engine has it."""
        if self._closing:
            return
        self._closing = True
        self._kill_group()
        for drain in (self.stdout, self.stderr):
            self._loop.remove_reader(drain.fd)
        if self._transport is not None:
            self._transport.close()
        _REAPERS.submit(_reap, self._process, self._workdir)

    def _kill_group(self) -> None:
        if self._process.returncode is not None:
            return  # its number may belong to somebody else by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._parser.feed(data):
                self._on_frame(frame)
        except ProtocolError as error:
            self.kill(f"it broke the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing:
            return
        self._kill_group()
        self._loop.run_in_executor(_REAPERS, self._process.wait).add_done_callback(self._report_lost)

    def _report_lost(self, done: asyncio.Future[int]) -> None:
        if not self._closing:
            code = None if done.cancelled() else done.result()
            self._on_lost(WorkerLost(self.why_killed or _cause(code), exit_code=code))


def broken_context(message: str, type_name: str) -> ContextError:
    """The error for a context that arrived but cannot be rebuilt in the worker."""
    return ContextError(
        f"the context (a {type_name}) cannot be rebuilt in the child namespace: {message}. "
        "A class defined in the notebook cannot be imported there: pass its data instead (a dict, a list, a text), "
        "or define the class in a module.",
        type_name=type_name,
    )


def _context_order(context: Packed | None) -> dict[str, Any]:
    if context is None:
        return {"route": "none", "fd": -1, "size": 0}
    return {"route": context.route, "fd": context.fd, "size": context.size}


def _search_path() -> list[str]:
    return [os.path.abspath(path) for path in sys.path]


def _cause(code: int | None) -> str:
    if code is None:
        return "it ended"
    if code >= 0:
        return f"it ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
    return f"it was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _reap(process: subprocess.Popen[bytes], workdir: str) -> None:
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    shutil.rmtree(workdir, ignore_errors=True)


__all__ = ["WorkerProcess", "broken_context"]
