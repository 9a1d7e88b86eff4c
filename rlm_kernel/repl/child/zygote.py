"""The zygote: a clean process with one thread, which forks workers in milliseconds.

The first one of a user's process knows no context. For a run it forks another one that loads the root's context, once;
the workers forked from that share its memory. A zygote runs nothing of the model's and takes orders from the engine
alone, over a socket that none of its children keeps: packets of JSON, files beside them. When the engine is gone it
ends, and its children with it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import warnings

from rlm_kernel.repl.child.link import Link
from rlm_kernel.repl.child.main import serve
from rlm_kernel.repl.guard import guard
from rlm_kernel.repl.guard.limits import die_with_parent
from rlm_kernel.repl.routes import decode
from rlm_kernel.repl.routes.forking import KEEP_THREADS

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_ORDER = 2**20
PRELOADED = "preloaded"


def main(control_fd: int, parent: int) -> None:
    """Serves the engine on that inherited socket; does not return. `parent` is the engine's process, 0 where its number
    is another one in here."""
    if parent:
        die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not guard.offered():
        guard.prepare()
    Zygote(control_fd, None).serve()


class Zygote:
    """Forks what it is told to. `context` is what its workers find loaded."""

    def __init__(self, control_fd: int, context: Any) -> None:
        self._control = socket.socket(fileno=control_fd)
        self._context = context
        self._children: dict[int, tuple[int, int]] = {}  # by the descriptor that says when it is gone
        self._poll = select.poll()
        self._poll.register(self._control, select.POLLIN)

    def serve(self) -> None:
        """Does not return."""
        gc.collect()
        gc.freeze()  # what is here now is here for good, in every child too
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._control.fileno():
                    self._obey()
                else:
                    self._bury(fd)

    def _obey(self) -> None:
        try:
            packet, fds, _, _ = socket.recv_fds(self._control, MAX_ORDER, 8)
        except ConnectionError:
            packet, fds = b"", []
        if not packet:
            os._exit(0)
        order = json.loads(packet)
        match order["op"]:
            case "load":
                self._fork(order, fds, _hold)
            case "open":
                self._fork(order, fds, self._work)
            case "kill":
                self._kill(order["number"])

    def _fork(self, order: dict[str, Any], fds: list[int], become: Callable[..., None]) -> None:
        zygote = os.getpid()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # that a library has threads: those that keep them are not loaded here
                pid = os.fork()
        except OSError as error:
            self._tell({"op": "failed", "number": order["number"], "message": str(error)})
        else:
            if pid == 0:
                _live(lambda: become(order, fds), zygote, fds)
            gone = os.pidfd_open(pid)
            self._children[gone] = order["number"], pid
            self._poll.register(gone, select.POLLIN)
            self._tell({"op": "born", "number": order["number"], "pid": pid}, [gone])
        for fd in fds:
            os.close(fd)

    def _work(self, order: dict[str, Any], fds: list[int]) -> None:
        link, out, err, *context = fds
        os.setsid()
        for number, fd in ((1, out), (2, err)):
            os.dup2(fd, number)
            os.close(fd)

        def load() -> Any:
            if order["route"] == PRELOADED:
                return self._context
            self._context = None
            return _load(order, context)

        serve(order, lambda: Link(link), load)

    def _kill(self, number: int) -> None:
        for child, pid in self._children.values():
            if child == number:  # it is not buried, so its number is still its own
                _kill_group(pid)

    def _bury(self, gone: int) -> None:
        number, pid = self._children.pop(gone)
        self._poll.unregister(gone)
        os.close(gone)
        _, status = os.waitpid(pid, 0)
        self._tell({"op": "died", "number": number, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, data: dict[str, Any], fds: list[int] | None = None) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(data).encode()], fds or [])
        except (BrokenPipeError, ConnectionError):
            os._exit(0)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        os.kill(pid, signal.SIGKILL)


def _live(work: Callable[[], None], parent: int, fds: list[int]) -> None:
    """The life of a forked process: it keeps the files that it was given, and none of its parent's."""
    try:
        die_with_parent(parent)
        low = 3
        for fd in sorted(fds):
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, os.sysconf("SC_OPEN_MAX"))
        work()
    except BaseException:  # noqa: BLE001 - a fork must never run on in its parent's code
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _hold(order: dict[str, Any], fds: list[int]) -> None:
    """Loads a context, says how that went, and forks workers that find it there."""
    control, *context = fds
    sys.path.extend(path for path in order["path"] if path not in sys.path)
    os.chdir(order["workdir"])
    os.environ.update(HOME=order["workdir"], TMPDIR=order["workdir"])
    zygote = Zygote(control, None)
    try:
        zygote._context = _load(order, context)
    except BaseException as error:  # noqa: BLE001 - unpickling runs anybody's code; the engine reports it
        zygote._tell({"op": "broken", "message": f"{type(error).__name__}: {error}"})
        return
    why = _unsafe()
    zygote._tell({"op": "unsafe", "why": why} if why else {"op": "loaded"})
    if not why:
        zygote.serve()


def _load(order: dict[str, Any], context: list[int]) -> Any:
    fd = context[0] if context else -1
    value = decode(order["route"], fd, order["size"])
    if fd >= 0:
        os.close(fd)
    return value


def _unsafe() -> str:
    """Why this process must not be forked any more; empty when it may."""
    keepers = KEEP_THREADS.intersection(sys.modules)
    if keepers:
        return f"{min(keepers)} is loaded, which keeps threads"
    return "a module has started threads" if threading.active_count() > 1 else ""


__all__ = ["MAX_ORDER", "PRELOADED", "Zygote", "main"]
