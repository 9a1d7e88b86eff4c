"""Landlock: the kernel's own check of every file that guarded code opens, makes, renames or removes.

What is handled is denied unless a rule grants it. Each version of the kernel's interface handles more; what an older
one leaves open, `policy.py` closes. Versions are those of linux/landlock.h.
"""

from __future__ import annotations

import os
import stat
import struct

from rlm_kernel.repl.guard.linux import call

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable

# LANDLOCK_ACCESS_FS_*
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = (1 << bit for bit in range(13, 16))

READ = READ_FILE | READ_DIR
WORK = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # what can be granted for a file

TRUNCATES = 3
"""The first version that knows of truncation."""
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many of the rights a version handles; all of them from 5 on
_ALL_FS_BITS = 16
_BIND_AND_CONNECT = 0b11  # LANDLOCK_ACCESS_NET_*, from 4 on
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # LANDLOCK_SCOPE_*, from 6 on
_VERSION, _PATH_BENEATH = 1, 1

_DEVICES = {
    "/dev/null": READ_FILE | WRITE_FILE,
    "/dev/full": READ_FILE | WRITE_FILE,
    "/dev/zero": READ_FILE,  # writable, it could be mapped as shared memory
    "/dev/random": READ_FILE,
    "/dev/urandom": READ_FILE,
}
# What libraries read of the machine to size their pools and heaps.
_MACHINE = (
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/vmstat",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/kernel/osrelease",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
)
_OWN = "/proc/self"  # followed here, so it is this process's folder and never another's


def version() -> int:
    """The version that this kernel offers. Raises `OSError` where it offers none."""
    return call("landlock_create_ruleset", 0, 0, _VERSION)


def restrict(workdir: str, readable: Iterable[str], *, abi: int) -> None:
    """Leaves this thread, and what it starts, those files and folders to read, the work directory to write, and nothing
    else; for good. A readable folder with a slash at its end can only be listed; what is not there is skipped. Raises
    `OSError`."""
    handled = handled_rights(abi)
    handles = attributes(abi)
    ruleset = call("landlock_create_ruleset", handles, len(handles), 0)
    try:
        _grant(ruleset, workdir, WORK & handled)
        for path in (_OWN, *_MACHINE, *readable):
            _offer(ruleset, path, READ_DIR if path.endswith("/") else READ)
        for path, rights in _DEVICES.items():
            _offer(ruleset, path, rights)
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def handled_rights(abi: int) -> int:
    """The rights to files that this version of landlock denies unless they are granted."""
    return int((1 << _FS_BITS.get(abi, _ALL_FS_BITS)) - 1)


def attributes(abi: int) -> bytes:
    """What is handled, as that version of landlock reads it: struct landlock_ruleset_attr."""
    fields = [handled_rights(abi)]
    if abi >= 4:
        fields.append(_BIND_AND_CONNECT)
    if abi >= 6:
        fields.append(_ABSTRACT_SOCKETS_AND_SIGNALS)
    return struct.pack(f"={len(fields)}Q", *fields)


def _offer(ruleset: int, path: str, rights: int) -> None:
    try:
        _grant(ruleset, path, rights)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # not on this system, or not this user's to read


def _grant(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, fd)  # struct landlock_path_beneath_attr, packed
        call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


__all__ = ["TRUNCATES", "attributes", "handled_rights", "restrict", "version"]
