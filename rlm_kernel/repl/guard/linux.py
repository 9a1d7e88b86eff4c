"""System calls that Python has no function for, made by number through the C library."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from rlm_kernel.repl.guard.syscalls import Machine, here

MACHINE: Machine | None = here()
_ARGUMENTS = 6

if sys.platform.startswith("linux"):
    _syscall = ctypes.CDLL(None, use_errno=True).syscall
    _syscall.restype = ctypes.c_long


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    """What that system call returns. Bytes and buffers are handed over as their address. Raises `OSError` with the
    kernel's reason where it fails, and on a machine whose system calls are not known."""
    if MACHINE is None:
        raise OSError(errno.ENOSYS, "no system call is known on this machine")
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    given += [ctypes.c_long(0)] * (_ARGUMENTS - len(given))  # what is not used must be nothing
    result: int = _syscall(ctypes.c_long(MACHINE.numbers[name]), *given)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


__all__ = ["MACHINE", "call"]
