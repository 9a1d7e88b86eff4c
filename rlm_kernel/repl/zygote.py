"""`Zygote`: the process that forks workers, as the engine holds it. Runs on the engine's loop thread.

One without a context serves all runs of this process and lives as long as it; one with a context belongs to a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rlm_kernel.errors import ReplError
from rlm_kernel.repl.child.zygote import MAX_ORDER

ROOT = str(Path(__file__).resolve().parents[2])
# Our own package, whatever others there are; for all else the interpreter's own path comes first.
OURS = "import sys; sys.path.insert(0, {root!r}); import rlm_kernel; sys.path.append(sys.path.pop(0)); "
BOOT = OURS + "from rlm_kernel.repl.child.zygote import main; main({fd}, {parent})"
ENVIRONMENT = {
    "MPLBACKEND": "Agg",  # a figure must not look for a screen
    "PYTHONHASHSEED": "0",  # sets come in the same order when the code runs again
}
# As -I isolates, but for the environment, which is ours.
ISOLATED = ("-s", "-P", "-X", "utf8")
START_SECONDS = 30.0

OnDeath = Callable[[int | None], None]


@dataclass(frozen=True, kw_only=True)
class Born:
    """A process that a zygote forked: `gone` is a descriptor that names it for good and is readable when it is gone."""

    number: int
    pid: int
    gone: int


class Zygote:
    """Takes orders to fork. When it is gone its children are too, and `alive` is false."""

    def __init__(self, control: socket.socket) -> None:
        self.alive = True
        self._why_over = ""
        self._loop = asyncio.get_running_loop()
        self._control = control
        self._numbers = itertools.count()
        self._births: dict[int, asyncio.Future[Born]] = {}
        self._deaths: dict[int, OnDeath] = {}
        self._said: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        control.setblocking(False)
        self._loop.add_reader(control.fileno(), self._receive)

    async def fork(self, order: dict[str, Any], fds: Sequence[int], on_death: OnDeath) -> Born:
        """A new process, made as the order says, with those files; `on_death` gets its exit code once. Raises
        `ReplError`."""
        number = next(self._numbers)
        born: asyncio.Future[Born] = self._loop.create_future()
        self._births[number] = born
        self._deaths[number] = on_death
        try:
            await self._send({**order, "number": number}, fds)
            return await born
        except BaseException:
            self._deaths.pop(number, None)  # nobody waits for it any more
            if born.done() and not born.cancelled() and not born.exception():
                self._discard(born.result())
            raise
        finally:
            self._births.pop(number, None)

    async def load(self, order: dict[str, Any], context_fd: int) -> tuple[Zygote | None, dict[str, Any]]:
        """A zygote that holds the context in that file, and what it said: `loaded`, or `broken` or `unsafe` and then
        there is none. Raises `ReplError`."""
        ours, theirs = control_pair()
        holder = Zygote(ours)
        try:
            born = await self.fork({**order, "op": "load"}, [theirs.fileno(), context_fd], holder.lose)
            os.close(born.gone)
            said = await holder.said()
        except BaseException:
            holder.close()
            raise
        finally:
            theirs.close()
        if said["op"] == "loaded":
            return holder, said
        holder.close()
        return None, said

    async def said(self) -> dict[str, Any]:
        """What the process said of itself. Raises `ReplError` when it is gone before."""
        return await self._said

    def kill(self, number: int) -> None:
        """Ends that child, and whatever is in its group."""
        if self.alive:
            with contextlib.suppress(
                OSError
            ):  # full or gone: the descriptor of the child has been used before
                self._control.send(json.dumps({"op": "kill", "number": number}).encode())

    def lose(self, code: int | None) -> None:
        """Says that the process is gone."""
        if self.alive:
            self._shut()
            last = self._last_words(code)
            self._end(f"the process that starts workers is gone{last}: run the cell again")

    def close(self) -> None:
        """Ends the process and its children."""
        if self.alive:
            self._shut()
            self._end("the process that starts workers was ended")

    def _shut(self) -> None:
        self.alive = False
        self._loop.remove_reader(self._control.fileno())
        with contextlib.suppress(OSError):  # it is gone
            self._control.shutdown(socket.SHUT_RDWR)  # whoever forked this process has the socket too
        self._control.close()

    def _end(self, why: str) -> None:
        """Tells all who wait: nothing is heard of the children any more, and they die with their parent."""
        self._why_over, error = why, ReplError(why)
        for born in self._births.values():
            if not born.done():
                born.set_exception(error)
        if not self._said.done():
            self._said.set_exception(error)
            self._said.exception()  # it may be that nobody asks
        deaths, self._deaths = self._deaths, {}
        for on_death in deaths.values():
            on_death(None)

    def _last_words(self, code: int | None) -> str:
        return "" if code is None else f" (exit code {code})"

    async def _send(self, order: dict[str, Any], fds: Sequence[int]) -> None:
        packet = json.dumps(order).encode()
        while self.alive:
            try:
                socket.send_fds(self._control, [packet], list(fds))
                return
            except BlockingIOError:
                await asyncio.sleep(0.001)  # it is busy forking
            except ConnectionError:
                self.lose(None)
            except OSError as error:
                raise ReplError(f"no worker can be started: {error}") from error
        raise ReplError(self._why_over)

    def _receive(self) -> None:
        try:
            packet, fds, _, _ = socket.recv_fds(self._control, MAX_ORDER, 4)
        except BlockingIOError:
            return
        except OSError:
            packet, fds = b"", []
        if not packet:
            self.lose(None)
            return
        self._hear(json.loads(packet), fds)

    def _hear(self, data: dict[str, Any], fds: list[int]) -> None:
        match data["op"]:
            case "born":
                self._birth(data, fds[0])
            case "failed":
                waiting = self._births.get(data["number"])
                if waiting is not None and not waiting.done():
                    waiting.set_exception(ReplError(f"no worker can be started: {data['message']}"))
            case "died":
                on_death = self._deaths.pop(data["number"], None)
                if on_death is not None:
                    on_death(data["code"])
            case _:
                self._said.set_result(data)

    def _birth(self, data: dict[str, Any], gone: int) -> None:
        born = Born(number=data["number"], pid=data["pid"], gone=gone)
        waiting = self._births.get(born.number)
        if waiting is None or waiting.done():
            self._discard(born)  # whoever wanted it was cancelled
        else:
            waiting.set_result(born)

    def _discard(self, born: Born) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(born.gone, signal.SIGKILL)
        os.close(born.gone)
        self.kill(born.number)


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends over which packets go whole, with files beside them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_ORDER)
    return ours, theirs


async def base_zygote() -> Zygote:
    """The zygote of this process that knows no context, started now if it is not there."""
    loop = asyncio.get_running_loop()
    zygote = _bases.get(loop)
    if zygote is None or not zygote.alive:
        zygote = _bases[loop] = start_zygote()
    return zygote


def start_zygote(command: Sequence[str] = (), *, knows_parent: bool = True) -> Zygote:
    """A new zygote that knows no context; `command` is put before the interpreter's. With `knows_parent` it sees this
    process under the number that it has here. Raises `ReplError`."""
    ours, theirs = control_pair()
    # What it says when it cannot start is for the error; nothing of the model's ever gets here.
    log = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process
    boot = BOOT.format(root=ROOT, fd=theirs.fileno(), parent=os.getpid() if knows_parent else 0)
    try:
        process = subprocess.Popen(
            [*command, sys.executable, *ISOLATED, "-c", boot],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=ENVIRONMENT,
            cwd="/",
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        log.close()
        raise ReplError(f"no worker can be started: {error}") from error
    finally:
        theirs.close()
    return _Base(ours, process, log)


class _Base(Zygote):
    def __init__(self, control: socket.socket, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        super().__init__(control)
        self._process = process
        self._log = log
        self._last = ""

    def _shut(self) -> None:
        super()._shut()
        self._process.kill()  # it has nobody to serve; if it ended by itself, its own exit code stays
        self._process.wait()
        self._log.seek(0)
        self._last = self._log.read(4_000).decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        self._log.close()

    def _last_words(self, code: int | None) -> str:
        return f" (exit code {self._process.returncode}{': ' * bool(self._last)}{self._last})"


_bases: dict[asyncio.AbstractEventLoop, Zygote] = {}

__all__ = [
    "ENVIRONMENT",
    "ISOLATED",
    "OURS",
    "ROOT",
    "Born",
    "OnDeath",
    "Zygote",
    "base_zygote",
    "control_pair",
    "start_zygote",
]
