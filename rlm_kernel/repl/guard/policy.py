"""What each system call of guarded code may do: everything that it needs to compute, and nothing that reaches others.

Files are landlock's to judge (`landlock.py`); here is all that landlock does not see. A rule stands for the calls of
every machine; names that a machine does not have are left out. A call that is in no rule is allowed, and one that is in
no table of `syscalls.py` does not exist.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rlm_kernel.repl.guard.syscalls import Machine

ALL_BITS = 0xFFFFFFFF


class Condition:
    """Whether one argument's low 32 bits, masked, are among `values` (`among`), or not (`not among`). The kernel reads
    no more than those of every argument that is judged here."""

    __slots__ = ("among", "argument", "mask", "values")

    def __init__(self, argument: int, values: Iterable[int], mask: int, among: bool) -> None:
        self.argument = argument
        self.values = tuple(sorted(values))
        self.mask = mask
        self.among = among


class Verdict:
    """What becomes of a call: it is made when all `conditions` hold, and else fails with `error`; one that fails with
    error 0 is not made, and its caller is told that it was."""

    __slots__ = ("conditions", "error")

    def __init__(self, error: int, conditions: tuple[Condition, ...] = ()) -> None:
        self.error = error
        self.conditions = conditions


def only(argument: int, *values: int, mask: int = ALL_BITS) -> Condition:
    """That argument must be one of those."""
    return Condition(argument, values, mask, True)


def never(argument: int, *values: int, mask: int = ALL_BITS) -> Condition:
    """That argument must be none of those."""
    return Condition(argument, values, mask, False)


REFUSED = Verdict(errno.EPERM)
UNKNOWN = Verdict(errno.ENOSYS)  # callers of it know an older way, which is judged
NO_XATTRS = Verdict(errno.ENOTSUP)  # as on a file system without them: copying a file does not fail over it
PRETENDED = Verdict(0)

_NETWORK = "socket connect bind listen accept accept4"
_PROCESSES = """
    execve execveat fork vfork ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
    get_robust_list pidfd_open pidfd_getfd pidfd_send_signal tkill setsid setpgid setpriority ioprio_set move_pages
    migrate_pages
"""
# Memory and queues that other processes can reach, or that no limit counts.
_SHARED = """
    memfd_create memfd_secret shmget shmat shmctl shmdt mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify
    mq_getsetattr msgget msgsnd msgrcv msgctl semget semop semctl semtimedop
"""
_PRIVILEGES = """
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset personality unshare setns
    chroot pivot_root mount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr init_module
    finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff quotactl quotactl_fd acct syslog
    sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex vhangup iopl ioperm add_key
    request_key keyctl
"""
# Doors into the kernel that computing does not need, and through which others' files could be reached or watched.
_DOORS = """
    io_uring_setup io_uring_enter io_uring_register io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents
    bpf perf_event_open userfaultfd modify_ldt vmsplice seccomp name_to_handle_at open_by_handle_at fanotify_init
    fanotify_mark inotify_init inotify_init1 inotify_add_watch inotify_rm_watch ustat sysfs mknod mknodat
"""
# Owners, modes and times of files are not landlock's. Nobody needs them in a folder that is thrown away, but
# `shutil.copy` sets them, and fails where it cannot.
_MARKS = "chmod fchmod fchmodat utime utimes futimesat utimensat"
_OWNERS = "chown fchown lchown fchownat"
_XATTRS = """
    setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
    fremovexattr
"""
# clone3 and openat2 have their flags in memory, where no filter can read them.
_UNREADABLE = "clone3 openat2"

_AF_UNIX = 1
_SOCK_TYPES, _SOCK_STREAM, _SOCK_SEQPACKET = 0xF, 1, 5  # a datagram socket can be told where to send
_CLONE_THREAD, _CLONE_NAMESPACES = 0x10000, 0x7E020000
_MAP_TYPES, _MAP_ANONYMOUS, _MAP_SHARED, _MAP_SHARED_VALIDATE = 0x0F, 0x20, 0x01, 0x03
_MAP_GROWSDOWN = 0x100  # memory that the kernel takes for a stack, and counts as one
# Copies, flags and locks of descriptors, sizes of pipes, hints: not the owner of its signals, no leases, no notices.
_FCNTL = (*range(8), 9, 36, 37, 38, 1027, 1028, 1030, 1031, 1032, 1033, 1034, 1035, 1036, 1037, 1038)
# Whether it is a terminal and how wide, what is there to be read, blocking, inheriting. Anything else is a device's, or
# changes a file that was opened to be read.
_IOCTL = (0x5401, 0x802C542A, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_O_ACCMODE, _O_WRONLY, _O_RDWR, _O_TRUNC = 3, 1, 2, 0o1000
# Reading what prctl tells, naming threads and memory, timer slack, huge pages, pointer tags of arm64. Everything else
# (the parent-death signal first of all) is settled before the guard.
_PRCTL = (2, 3, 7, 15, 16, 21, 23, 27, 29, 30, 39, 41, 42, 51, 52, 54, 55, 56, 64, 0x53564D41)
_OWN = 0  # "whoever asks", where a call takes a process's number


def verdicts(machine: Machine, pid: int, *, landlock_truncates: bool) -> dict[int, Verdict]:
    """What becomes of the calls of that machine that are not simply allowed, by number. `pid` is the only process that
    may be signalled; a landlock that does not know of truncation has to be helped."""
    found = _refused()
    found |= _judged(pid)
    if not landlock_truncates:
        found |= {"truncate": REFUSED} | _opening((_O_TRUNC, *_ioctl_only()))
    return {machine.numbers[name]: verdict for name, verdict in found.items() if name in machine.numbers}


def _refused() -> dict[str, Verdict]:
    groups = {
        REFUSED: f"{_NETWORK} {_PROCESSES} {_SHARED} {_PRIVILEGES} {_DOORS} {_OWNERS}",
        UNKNOWN: _UNREADABLE,
        NO_XATTRS: _XATTRS,
        PRETENDED: _MARKS,
    }
    return {name: verdict for verdict, names in groups.items() for name in names.split()}


def _judged(pid: int) -> dict[str, Verdict]:
    own_process = Verdict(errno.EPERM, (only(0, pid),))
    own_or_self = Verdict(errno.EPERM, (only(0, _OWN, pid),))
    thread = only(0, _CLONE_THREAD, mask=_CLONE_THREAD | _CLONE_NAMESPACES)
    pair = only(0, _AF_UNIX), only(1, _SOCK_STREAM, _SOCK_SEQPACKET, mask=_SOCK_TYPES)
    shared = never(
        3,
        *(_MAP_ANONYMOUS | each for each in (_MAP_SHARED, _MAP_SHARED_VALIDATE)),
        mask=_MAP_TYPES | _MAP_ANONYMOUS,
    )
    return {
        **dict.fromkeys(("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"), own_process),
        **dict.fromkeys(
            ("sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"), own_or_self
        ),
        "prlimit64": own_or_self,
        "clone": Verdict(errno.EPERM, (thread,)),
        "socketpair": Verdict(errno.EPERM, pair),
        "prctl": Verdict(errno.EPERM, (only(0, *_PRCTL),)),
        "fcntl": Verdict(errno.EINVAL, (only(1, *_FCNTL),)),
        "ioctl": Verdict(errno.ENOTTY, (only(1, *_IOCTL),)),
        "mmap": Verdict(errno.EPERM, (shared, never(3, _MAP_GROWSDOWN, mask=_MAP_GROWSDOWN))),
        **_opening(_ioctl_only()),
    }


def _ioctl_only() -> tuple[int, int]:
    """Both access modes at once mean neither: a file opened so asks landlock for nothing."""
    return _O_ACCMODE, _O_ACCMODE | _O_TRUNC


def _opening(flags: tuple[int, ...]) -> dict[str, Verdict]:
    mask = _O_ACCMODE | _O_TRUNC
    return {
        "open": Verdict(errno.EPERM, (never(1, *flags, mask=mask),)),
        "openat": Verdict(errno.EPERM, (never(2, *flags, mask=mask),)),
    }


__all__ = [
    "NO_XATTRS",
    "PRETENDED",
    "REFUSED",
    "UNKNOWN",
    "Condition",
    "Verdict",
    "never",
    "only",
    "verdicts",
]
