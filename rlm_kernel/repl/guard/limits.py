"""The limits that a worker takes on before it runs anything. Where a system has no such limit, nothing is limited."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

if sys.platform != "win32":
    import resource

_LINUX = sys.platform.startswith("linux")
_C_LIBRARY = ctypes.CDLL(None) if _LINUX else None
_PR_SET_PDEATHSIG = 1
_FILE_BYTES = 10**9
_OPEN_FILES = 1024
# Address space counts what is only reserved: thread stacks, the arenas of every allocator, mapped files.
_RESERVED_PER_USED = 8


def die_with_parent(parent_pid: int) -> None:
    """Has this process killed when its parent ends; ends it now where that has happened already. On other systems than
    Linux only the second."""
    if _C_LIBRARY is not None:
        _C_LIBRARY.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), *[ctypes.c_ulong(0)] * 3)
    if os.getppid() != parent_pid:
        os._exit(1)  # nobody is there to be told


def limit(memory_bytes: int | None) -> None:
    """Limits this process: that much memory beside what it has now (None: any), files of 1 GB, no core dumps; and it is
    the first to go when the system runs out of memory."""
    if sys.platform == "win32":
        return
    _refuse_cores()
    _lower("RLIMIT_FSIZE", _FILE_BYTES)
    _lower("RLIMIT_NOFILE", _OPEN_FILES)
    if _LINUX:  # elsewhere these are refused, or not held
        _offer_first()
        if memory_bytes is not None:
            mapped, used = _in_use()
            _lower("RLIMIT_DATA", used + memory_bytes)
            _lower("RLIMIT_AS", mapped + _RESERVED_PER_USED * memory_bytes)


def _lower(name: str, value: int) -> None:
    """Lowers a limit for good; one that is lower already stays."""
    which = getattr(resource, name)
    soft, hard = (
        sys.maxsize if each == resource.RLIM_INFINITY else each for each in resource.getrlimit(which)
    )
    resource.setrlimit(which, (min(value, soft), min(value, hard)))


def _refuse_cores() -> None:
    """Has no core written, with all that is in memory. One byte is too short for any; with 0 Linux would still hand one
    to a collector, such as systemd's."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    length = min(1, hard) if _LINUX and hard != resource.RLIM_INFINITY else int(_LINUX)
    resource.setrlimit(resource.RLIMIT_CORE, (length, length))


def _in_use() -> tuple[int, int]:
    """The bytes of address space and of private data that this process has."""
    with open("/proc/self/statm", "rb", buffering=0) as file:
        pages = file.read().split()
    size = resource.getpagesize()
    return int(pages[0]) * size, int(pages[5]) * size


def _offer_first() -> None:
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"1000")
    except OSError:
        return  # a container may keep it; its own memory limit holds


__all__ = ["die_with_parent", "limit"]
