"""What differs between systems when a process is started, interrupted and ended: one small object each.

`Posix` is here, and tested on Linux; what Windows has is in `windows.py`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from rlm_kernel.repl.zygote import ENVIRONMENT


class System(Protocol):
    """How this system treats processes. `signals`: one process can be sent SIGINT. `limits`: a process can limit its
    own memory."""

    signals: bool
    limits: bool

    def start(
        self, command: Sequence[str], files: Sequence[int], *, memory: int | None, **options: Any
    ) -> Child:
        """The process of that command, in a group of its own, with those open files beside its standard streams. Where
        the system can hold it to that `memory`, in bytes and all told, it does."""
        ...

    def number(self, fd: int) -> int:
        """By which number the new process finds an open file of ours."""
        ...


class Child(Protocol):
    """A process that was started."""

    pid: int

    def wait(self) -> int:
        """Its exit code (negative for a signal), when it has ended and so have those that it started. Blocks."""
        ...

    def interrupt(self) -> None:
        """Sends it SIGINT."""
        ...

    def kill(self) -> None:
        """Ends it, and those that it started."""
        ...


class Posix:
    """A POSIX system: sessions, signals, file descriptors. macOS limits no memory."""

    signals = True
    limits = sys.platform == "linux"

    def start(
        self, command: Sequence[str], files: Sequence[int], *, memory: int | None, **options: Any
    ) -> PosixChild:
        """See `System.start`."""
        return PosixChild(
            subprocess.Popen(command, env=ENVIRONMENT, pass_fds=files, start_new_session=True, **options)
        )

    def number(self, fd: int) -> int:
        """Its descriptor: it is the same there."""
        return fd


class PosixChild:
    """A process that leads a group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process
        self._lock = threading.Lock()  # its number may belong to somebody else as soon as it is waited for

    def wait(self) -> int:
        """See `Child.wait`."""
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13
            self._process.wait()
        with self._lock:
            self._kill_group()
            return self._process.wait()

    def interrupt(self) -> None:
        """See `Child.interrupt`."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """See `Child.kill`."""
        with self._lock:
            if self._process.returncode is None:
                self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def this_system() -> System:
    """The system that this process runs on."""
    if sys.platform == "win32":
        from rlm_kernel.repl.windows import Windows

        return Windows()
    return Posix()


__all__ = ["Child", "Posix", "PosixChild", "System", "this_system"]
