"""The proof of a guard: real attempts at what guarded code must not be able to do.

An attempt that succeeds is undone at once. Where success could not be undone, the call is made with an address or a
number that stands for nothing: it is refused by a guard, and without one it fails for another reason.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket

from rlm_kernel.repl.guard.linux import call

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Probe = Callable[[], object]

_NOWHERE = 0
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG, _PTRACE_CONT = 1, 2, 7
_REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def holes(workdir: str) -> list[str]:
    """What this process can still do and must not be able to, a sentence each; none when the guard holds."""
    found = [sentence for sentence, attempt in _attempts(workdir) if _succeeds(attempt)]
    return found + [sentence for sentence, attempt in _harmless_attempts() if not _refused(attempt)]


def _attempts(workdir: str) -> Iterator[tuple[str, Probe]]:
    parent = os.getppid()
    beside = f"{os.path.realpath(workdir)}-beside-{os.getpid()}"
    yield "it can list the root folder", lambda: os.listdir("/")
    yield "it can read its parent's environment", lambda: _open(f"/proc/{parent}/environ", os.O_RDONLY)
    yield "it can read its parent's memory", lambda: _open(f"/proc/{parent}/mem", os.O_RDONLY)
    yield "it can read what other processes say of themselves", lambda: _open("/proc/1/status", os.O_RDONLY)
    yield "it can write outside its work directory", lambda: _make(beside)
    yield "it can open sockets", lambda: socket.socket().close()
    yield "it can start processes", _fork
    yield (
        "it can keep memory that no limit counts",
        lambda: os.close(call("memfd_create", b"rlm-probe\0", 0)),
    )
    yield "it can signal its parent", lambda: os.kill(parent, 0)


def _harmless_attempts() -> Iterator[tuple[str, Probe]]:
    yield "it can run programs", lambda: call("execve", _NOWHERE, _NOWHERE, _NOWHERE)
    yield "it can connect to other processes", lambda: call("connect", -1, _NOWHERE, 0)
    yield "it can use io_uring, which no filter sees", lambda: call("io_uring_setup", 0, _NOWHERE)
    yield "it can trace other processes", lambda: call("ptrace", _PTRACE_CONT, _NOWHERE)
    yield "it can outlive its parent", _keep_parents_death


def _succeeds(attempt: Probe) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _refused(attempt: Probe) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno in _REFUSALS
    return False


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC, 0o600))


def _make(path: str) -> None:
    _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.unlink(path)


def _fork() -> None:
    """Forks, by the system call itself: Python's own would run what modules registered for a fork."""
    pid = call("clone", signal.SIGCHLD)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _keep_parents_death() -> None:
    """Asks for the signal that is set already: it comes when the parent ends."""
    held = ctypes.c_int()
    call("prctl", _PR_GET_PDEATHSIG, ctypes.addressof(held))
    call("prctl", _PR_SET_PDEATHSIG, held.value)


__all__ = ["holes"]
