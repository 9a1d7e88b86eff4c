"""`Tunnel`: bytes to and from a relay in a kernel, over nothing but the messages that every Jupyter kernel knows.

What goes down is the answer to an `input_request` of the relay, what comes up is a comm message. So any provisioner of
`jupyter_client` will do, and nothing listens but the kernel's own channels. Runs on the engine's loop thread.

The kernel ends itself when it hears nothing for `PATIENCE_SECONDS`, and at once when the process that started it is on its
machine and gone.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import inspect
import os
import socket
import time
import uuid
from collections.abc import Callable, Coroutine
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any

from rlm_kernel.errors import ConfigError, ReplError
from rlm_kernel.repl.bundle import package
from rlm_kernel.repl.child import relay

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

OLDEST_PYTHON = (3, 11)
START_SECONDS = 120.0
"""How long a kernel may take: a cluster may have to find a machine for it."""
ALIVE_SECONDS = 0.5
CLOSE_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
_PIECE = 4 * 2**20
_endings: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly
# What a kernel finds of the environment: enough to start, and none of the user's keys.
_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
_KEPT_OF_WINDOWS = ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "USERPROFILE")
_KEPT_PREFIXES = ("LC_", "XDG_", "JUPYTER_", "IPYTHON", "CONDA_", "LD_LIBRARY", "DYLD_", "KERNEL_")
_SECRET = ("TOKEN", "KEY", "SECRET", "PASSWORD", "CREDENTIAL")


class Tunnel:
    """One kernel with a relay in it. `take` gets what comes up, `lose` is called once, with the reason, when the kernel is
    gone."""

    def __init__(self, spec: str, take: Callable[[bytes], None], lose: Callable[[str], None]) -> None:
        self._spec = spec
        self._take = take
        self._lose = lose
        self._down = bytearray()
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._manager: AsyncKernelManager | None = None
        self._client: Any = None
        self._starting: asyncio.Future[Any] | None = None
        self._comm = uuid.uuid4().hex
        self._closed = False
        self.heard = time.monotonic()
        """When there was the last sign of life."""

    async def open(self) -> None:
        """Starts the kernel and the relay. Raises `ConfigError`, `ReplError`; closes itself then."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._start()
        except TimeoutError:
            raise ReplError(f"the kernel {self._spec!r} was not ready within {START_SECONDS:g} s") from None
        except (ConfigError, ReplError):
            raise
        except Exception as error:
            # What a provisioner raises is anything.
            raise ReplError(
                f"the kernel {self._spec!r} cannot be started: {type(error).__name__}: {error}"
            ) from error

    async def _start(self) -> None:
        from jupyter_client.manager import AsyncKernelManager  # slow to import, and few runs need it

        # Where both ends can, other users of the machine hear nothing of what goes over its ports.
        encrypted = (
            {"transport_encryption": "auto"} if hasattr(AsyncKernelManager, "transport_encryption") else {}
        )
        self._manager = manager = AsyncKernelManager(kernel_name=self._spec, context=_context(), **encrypted)
        # Not to be broken off half way: what a provisioner has begun only it can end.
        self._starting = asyncio.ensure_future(
            manager.start_kernel(env=environment(), stdout=DEVNULL, stderr=DEVNULL)
        )
        await asyncio.shield(self._starting)
        self._client = client = manager.client()
        client.start_channels(hb=False)
        await client.wait_for_ready(timeout=START_SECONDS)
        await self._check_version()
        order = {
            "comm": self._comm,
            "package": package(),
            "parent": os.getpid(),
            "host": socket.gethostname(),
            "patience": PATIENCE_SECONDS,
        }
        client.execute(f"{_relay_source()}\nrelay({order!r})\n", store_history=False, allow_stdin=True)
        work = (self._pump_up(), self._pump_down(), self._hear_reply(), self._watch())
        self._tasks = [asyncio.create_task(self._guarded(each)) for each in work]

    async def _check_version(self) -> None:
        # As an expression, which every Python understands.
        asked = {"version": "list(__import__('sys').version_info[:3])"}
        self._client.execute("", silent=True, user_expressions=asked)
        while (reply := await self._client.get_shell_msg())["msg_type"] != "execute_reply":
            continue
        found = reply["content"].get("user_expressions", {}).get("version", {})
        version = str(found.get("data", {}).get("text/plain", "")).strip("[]")
        numbers = tuple(int(part) for part in version.split(",") if part.strip().isdigit())
        if numbers < OLDEST_PYTHON:
            raise ConfigError(
                f"the kernel {self._spec!r} runs Python {'.'.join(map(str, numbers)) or 'unknown'}, and workers need "
                f"{'.'.join(map(str, OLDEST_PYTHON))} or newer: choose another kernel for --isolation kernel:NAME",
                setting="isolation",
            )

    def send(self, data: bytes) -> None:
        """Sends bytes; they go out as the relay asks for them."""
        self._down += data
        self._filled.set()

    async def drain(self) -> None:
        """Returns when little is still to be sent."""
        while len(self._down) > _PIECE and not self._closed:
            self._emptied.clear()
            await self._emptied.wait()

    async def close(self) -> None:
        """Ends the kernel, in whatever state it is; waits a moment for that, and it goes on in any case."""
        if not self._closed:
            self._closed = True
            self._emptied.set()
            for task in self._tasks:
                task.cancel()
            ending = asyncio.create_task(self._shut_down())
            _endings.add(ending)
            ending.add_done_callback(_endings.discard)
            await asyncio.wait((ending,), timeout=CLOSE_SECONDS)

    async def _shut_down(self) -> None:
        if self._manager is None:
            return
        if self._client is not None:
            self._client.stop_channels()
        if self._starting is not None:
            await asyncio.wait((self._starting,), timeout=START_SECONDS)
        # It may be gone already, or never have come: each provisioner says so in its own way.
        with contextlib.suppress(Exception):
            await self._manager.shutdown_kernel(now=True)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - zmq's and the protocol's: none of them may leave a run waiting
            self._end(f"its kernel cannot be heard any more: {type(error).__name__}: {error}")

    def _end(self, why: str) -> None:
        if not self._closed:
            self._lose(why)

    async def _pump_up(self) -> None:
        while True:
            message = await self._client.get_iopub_msg()
            content = message["content"]
            if message["msg_type"] != "comm_msg" or content.get("comm_id") != self._comm:
                continue
            self.heard = time.monotonic()
            data = content["data"]
            if data.get("op") == "ended":
                said = str(data.get("said")).strip().rpartition("\n")[2]
                self._end(
                    f"the process that carries its frames ended with exit code {data.get('code')} {said}"
                )
            for piece in message.get("buffers", ()):
                self._take(bytes(piece))

    async def _pump_down(self) -> None:
        while True:
            message = await self._client.get_stdin_msg()
            if message["msg_type"] != "input_request":
                continue
            self.heard = time.monotonic()
            self._filled.clear()
            if not self._down:
                await self._filled.wait()
            piece = bytes(self._down[:_PIECE])
            del self._down[:_PIECE]
            self._client.input(base64.b64encode(piece).decode("ascii"))
            self._emptied.set()

    async def _hear_reply(self) -> None:
        while True:
            message = await self._client.get_shell_msg()
            if message["msg_type"] == "execute_reply":
                content = message["content"]
                said = (
                    f"{content.get('ename')}: {content.get('evalue')}"
                    if content["status"] != "ok"
                    else "it ended"
                )
                self._end(f"the relay in its kernel is gone: {said}")

    async def _watch(self) -> None:
        assert self._manager is not None
        while True:
            if not await self._manager.is_alive():
                self._end("its kernel is gone")
                return
            await asyncio.sleep(ALIVE_SECONDS)


def environment() -> dict[str, str]:
    """What a kernel finds of this process's environment."""
    return {name: value for name, value in os.environ.items() if _kept(name.upper())}


def _kept(name: str) -> bool:
    known = name in _KEPT or name in _KEPT_OF_WINDOWS or name.startswith(_KEPT_PREFIXES)
    return known and not any(word in name for word in _SECRET)


@functools.cache
def _context() -> Any:
    # One for all kernels, which is never ended: to end one can take for ever.
    import zmq.asyncio

    return zmq.asyncio.Context()


@functools.cache
def _relay_source() -> str:
    return inspect.getsource(relay)


__all__ = [
    "ALIVE_SECONDS",
    "CLOSE_SECONDS",
    "OLDEST_PYTHON",
    "PATIENCE_SECONDS",
    "START_SECONDS",
    "Tunnel",
    "environment",
]
