"""The guard: what a process can take on to keep whatever it runs afterwards away from its owner, and the proof of it.

It needs no privileges and no installation, holds for the thread that takes it on and every thread that this one starts,
and cannot be taken off. Landlock judges files, seccomp everything else.
"""

from __future__ import annotations

import errno
import os
import struct

from rlm_kernel.repl.guard import landlock, seccomp, semaphores
from rlm_kernel.repl.guard.linux import MACHINE, call
from rlm_kernel.repl.guard.probes import holes

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable

_CAPABILITIES = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_PR_SET_NO_NEW_PRIVS = 38
_READING = 1 << 2  # CAP_DAC_READ_SEARCH: root goes on reading what root can, as far as landlock allows


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
        raise OSError(
            errno.EBUSY, "a process with several threads cannot be locked: the others would stay free"
        )
    abi = landlock.version()
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    landlock.restrict(workdir, readable, abi=abi)
    seccomp.install(landlock_truncates=abi >= landlock.TRUNCATES)
    semaphores.install()


def prepare() -> None:
    """Does what every lock needs and no lock needs anew: for a process that forks others, which lock themselves. Does
    nothing where the guard is not offered."""
    if not offered():
        seccomp.prepare(landlock_truncates=landlock.version() >= landlock.TRUNCATES)


def _drop_capabilities() -> None:
    """Where the notebook runs as root, guarded code has root's files and none of root's powers."""
    header = struct.pack("=Ii", _CAPABILITIES, 0)
    try:
        call("capset", header, struct.pack("=6I", _READING, _READING, 0, 0, 0, 0))
    except PermissionError:  # it has not even that one
        call("capset", header, bytes(24))


__all__ = ["holes", "lock", "offered", "prepare"]
