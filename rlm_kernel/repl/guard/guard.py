"""The guard: what a process can take on to keep whatever it runs afterwards away from its owner, and the proof of it.

It needs no privileges and no installation, holds for the thread that takes it on and every thread that this one starts,
and cannot be taken off. Landlock judges files, seccomp everything else.
"""

from __future__ import annotations

import errno
import os
import signal
import struct

from rlm_kernel.repl.guard import landlock, seccomp
from rlm_kernel.repl.guard.linux import MACHINE, buffer, call

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CAPABILITIES = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PDEATHSIG = 1
_CAP_DAC_READ_SEARCH = 2  # root goes on reading what root can read, as far as landlock allows
_AF_INET, _SOCK_STREAM = 2, 1
_PTRACE_CONT = 7
_NOTHING = 0  # an address where nothing is, a process that is none: what is allowed fails over it, and does no harm
_REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def offered() -> str:
    """Nothing where this system offers the guard, else one sentence that says why not. Changes nothing."""
    if MACHINE is None:
        return f"the guard is built for 64-bit Linux on x86_64 and aarch64, and this is {_machine()}"
    try:
        landlock.version()
    except OSError as error:
        return _LANDLOCK_ABSENT.get(
            error.errno or 0, f"this system does not let a process use landlock ({error.strerror})"
        )
    if not seccomp.offered():
        return "this system does not let a process filter its own system calls (seccomp)"
    return ""


_LANDLOCK_ABSENT = {
    errno.ENOSYS: "this kernel has no landlock, which keeps code away from files: it came with Linux 5.13",
    errno.EOPNOTSUPP: "landlock, which keeps code away from files, is switched off in this kernel: it is not among the "
    "security modules that the system starts with (lsm=)",
}


def _machine() -> str:
    if not hasattr(os, "uname"):
        return "another system"
    system = os.uname()
    return f"{system.sysname} on {system.machine}"


def lock(workdir: str, readable: Iterable[str]) -> None:
    """Locks this process, which must have one thread, for good: it can read those files and folders, write the work
    directory, compute, and use what it has open. Raises `OSError`, and then nothing must run in it."""
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError(errno.EBUSY, "a process with several threads cannot be locked: the others would stay free")
    abi = landlock.version()
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    landlock.restrict(workdir, readable, abi=abi)
    seccomp.install(landlock_truncates=abi >= landlock.TRUNCATES)


def _drop_capabilities() -> None:
    """Where the notebook runs as root, guarded code has root's files and none of root's powers."""
    header = buffer(struct.pack("=Ii", _CAPABILITIES, 0))
    sets = buffer(bytes(24))
    call("capget", header, sets)
    effective, permitted, _, *_ = struct.unpack("=6I", sets.raw)
    kept = 1 << _CAP_DAC_READ_SEARCH
    call("capset", header, buffer(struct.pack("=6I", effective & kept, permitted & kept, 0, 0, 0, 0)))


def holes(workdir: str) -> list[str]:
    """What this process can still do and must not be able to, a sentence each; none when the guard holds. Every probe
    is a real attempt, and one that succeeds is undone."""
    beside = f"{workdir.rstrip('/')}-beside-{os.getpid()}"
    parent = os.getppid()
    found = [sentence for sentence, path in _FOREIGN(parent) if _opens(path)]
    if _lists("/"):
        found.append("it can list folders outside its work directory")
    if _writes(beside):
        found.append("it can write outside its work directory")
    if _sockets():
        found.append("it can open network connections")
    if _forks():
        found.append("it can start processes")
    found += [sentence for sentence, attempt in _ATTEMPTS(parent) if _allowed(attempt)]
    return found
