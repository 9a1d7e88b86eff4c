"""The filter as the kernel would read it, for both machines; nothing is installed here."""

from __future__ import annotations

import errno

import pytest
from bpf_interpreter import ALLOW, KILL, error, verdict
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.repl.guard.seccomp import assemble
from rlm_kernel.repl.guard.syscalls import AARCH64, MACHINES, X86_64, Machine

PID = 4321
OTHER = 1
PROGRAMS = {
    (machine.name, truncates): assemble(machine, PID, landlock_truncates=truncates)
    for machine in MACHINES.values()
    for truncates in (True, False)
}
machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
REFUSED = error(errno.EPERM)
ABSENT = error(errno.ENOSYS)

# By what they would reach.
DENIED = {
    "network": "socket connect bind listen accept accept4",
    "programs": "execve execveat",
    "processes": "fork vfork setsid setpgid unshare setns",
    "other processes": "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_open pidfd_getfd "
    "pidfd_send_signal tkill setpriority ioprio_set migrate_pages move_pages process_mrelease",
    "memory without limit": "memfd_create memfd_secret shmget shmat msgget semget mq_open",
    "the kernel": "io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd keyctl add_key "
    "request_key modify_ldt io_setup seccomp",
    "the machine": "mount umount2 chroot pivot_root move_mount fsopen open_tree init_module finit_module delete_module "
    "kexec_load kexec_file_load reboot swapon swapoff quotactl settimeofday clock_settime clock_adjtime adjtimex "
    "sethostname setdomainname syslog acct iopl ioperm",
    "other users": "setuid setgid setreuid setresuid setgroups setfsuid capset personality",
    "files behind landlock's back": "open_by_handle_at name_to_handle_at inotify_init inotify_init1 inotify_add_watch "
    "fanotify_init mknod mknodat chown fchown lchown fchownat",
}
NEEDED = """
    read write pread64 writev close openat fstat newfstatat statx lseek getdents64 mprotect munmap brk mremap madvise
    futex set_robust_list rseq sched_yield sched_getaffinity nanosleep clock_nanosleep clock_gettime getrandom getpid
    gettid getppid rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall exit exit_group wait4 pipe2
    epoll_create1 epoll_ctl epoll_pwait ppoll pselect6 eventfd2 sendto recvfrom sendmsg recvmsg shutdown getsockopt
    setsockopt getsockname dup3 fsync fdatasync ftruncate fallocate flock renameat2 unlinkat mkdirat linkat symlinkat
    readlinkat faccessat getcwd chdir uname sysinfo getrusage getrlimit membarrier timer_create timer_settime
    copy_file_range sendfile close_range mlock landlock_restrict_self
"""
ONLY_X86_64 = "open stat access dup2 pipe poll select epoll_wait unlink mkdir rename arch_prctl time"


def asked(machine: Machine, name: str, *arguments: int, truncates: bool = True) -> int:
    return verdict(PROGRAMS[machine.name, truncates], machine.numbers[name], machine.audit, arguments)


@machines
@pytest.mark.parametrize("what", DENIED)
def test_nothing_is_reached_beyond_the_process(machine: Machine, what: str) -> None:
    names = [name for name in DENIED[what].split() if name in machine.numbers]
    assert names
    assert {name: asked(machine, name) for name in names} == dict.fromkeys(names, REFUSED)


@machines
def test_what_computing_needs_is_allowed(machine: Machine) -> None:
    names = NEEDED.split()
    assert {name: asked(machine, name) for name in names} == dict.fromkeys(names, ALLOW)


def test_what_only_x86_64_has_is_judged_there_too() -> None:
    for name in ONLY_X86_64.split():
        assert asked(X86_64, name) == ALLOW
        assert name not in AARCH64.numbers


@machines
def test_calls_whose_flags_no_filter_can_read_do_not_exist(machine: Machine) -> None:
    assert asked(machine, "clone3") == asked(machine, "openat2") == ABSENT


@machines
def test_threads_are_started_and_processes_are_not(machine: Machine) -> None:
    pthread = 0x3D0F00  # what the C library passes for a thread
    assert asked(machine, "clone", pthread) == ALLOW
    assert asked(machine, "clone", 0x01200011) == REFUSED  # what it passes for fork
    assert asked(machine, "clone", 0x4111) == REFUSED  # … and for vfork, which posix_spawn uses
    assert asked(machine, "clone", pthread | 0x10000000) == REFUSED  # a thread in a user namespace of its own


@machines
@pytest.mark.parametrize("name", ["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"])
def test_only_the_process_itself_is_signalled(machine: Machine, name: str) -> None:
    assert asked(machine, name, PID, 10) == ALLOW
    for other in (OTHER, 0, -1, -PID, PID + 1):
        assert asked(machine, name, other, 10) == REFUSED


@machines
@pytest.mark.parametrize("name", ["prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setattr"])
def test_only_the_process_itself_is_configured(machine: Machine, name: str) -> None:
    assert asked(machine, name, 0) == asked(machine, name, PID) == ALLOW
    assert asked(machine, name, OTHER) == REFUSED


@machines
def test_a_socket_pair_cannot_be_told_where_to_send(machine: Machine) -> None:
    unix, inet, tipc = 1, 2, 30
    stream, datagram, packets, cloexec = 1, 2, 5, 0o2000000
    assert asked(machine, "socketpair", unix, stream | cloexec) == ALLOW
    assert asked(machine, "socketpair", unix, packets) == ALLOW
    assert asked(machine, "socketpair", unix, datagram | cloexec) == REFUSED
    assert asked(machine, "socketpair", inet, stream) == asked(machine, "socketpair", tipc, stream) == REFUSED


@machines
def test_what_was_settled_before_the_guard_stays(machine: Machine) -> None:
    set_pdeathsig, set_dumpable, set_name, set_mm, set_seccomp = 1, 4, 15, 35, 22
    assert asked(machine, "prctl", set_name) == asked(machine, "prctl", 0x53564D41) == ALLOW
    for option in (set_pdeathsig, set_dumpable, set_mm, set_seccomp, 47):
        assert asked(machine, "prctl", option) == REFUSED


@machines
def test_a_descriptor_is_copied_and_locked_and_nobody_hears_of_it(machine: Machine) -> None:
    for command in (0, 1, 2, 3, 4, 6, 7, 1030, 1031):  # copies, flags, locks, sizes of pipes
        assert asked(machine, "fcntl", 3, command) == ALLOW
    for command in (8, 15, 10, 1024, 1026):  # F_SETOWN, F_SETOWN_EX, F_SETSIG, F_SETLEASE, F_NOTIFY
        assert asked(machine, "fcntl", 3, command) == error(errno.EINVAL)


@machines
def test_a_file_is_asked_and_not_changed_by_ioctl(machine: Machine) -> None:
    for request in (0x5401, 0x5413, 0x541B, 0x5421, 0x5451):  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX
        assert asked(machine, "ioctl", 3, request) == ALLOW
    # FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, FS_IOC_SETFLAGS, FS_IOC_ENABLE_VERITY
    for request in (0x8901, 0x8902, 0x5412, 0x541C, 0x40086602, 0x40806685):
        assert asked(machine, "ioctl", 3, request) == error(errno.ENOTTY)


@machines
def test_shared_memory_that_no_limit_counts_is_refused(machine: Machine) -> None:
    shared, private, anonymous, shared_validate = 1, 2, 0x20, 3
    assert asked(machine, "mmap", 0, 4096, 3, private | anonymous) == ALLOW
    assert asked(machine, "mmap", 0, 4096, 3, shared) == ALLOW  # of a file
    assert asked(machine, "mmap", 0, 4096, 3, shared | anonymous) == REFUSED
    assert asked(machine, "mmap", 0, 4096, 3, shared_validate | anonymous | 0x4000) == REFUSED
    stack, grows_down = 0x20000, 0x100
    assert asked(machine, "mmap", 0, 4096, 3, private | anonymous | stack) == ALLOW  # as for a thread
    assert asked(machine, "mmap", 0, 4096, 3, private | anonymous | grows_down) == REFUSED


@machines
def test_files_are_opened_to_be_read_or_written(machine: Machine) -> None:
    read, write, both, neither, truncate, create = 0, 1, 2, 3, 0o1000, 0o100
    for flags in (read, write, both, write | create | truncate, read | truncate):
        assert asked(machine, "openat", 0, 0, flags) == ALLOW  # landlock judges
    assert (
        asked(machine, "openat", 0, 0, neither)
        == asked(machine, "openat", 0, 0, neither | truncate)
        == REFUSED
    )


@machines
def test_where_landlock_does_not_know_of_truncation_the_filter_does(machine: Machine) -> None:
    read, write, truncate = 0, 1, 0o1000
    assert asked(machine, "truncate") == ALLOW
    assert asked(machine, "truncate", truncates=False) == REFUSED
    assert asked(machine, "openat", 0, 0, read | truncate, truncates=False) == REFUSED
    assert asked(machine, "openat", 0, 0, write | truncate, truncates=False) == ALLOW
    assert asked(machine, "openat", 0, 0, 3, truncates=False) == REFUSED


@machines
def test_owners_modes_and_attributes_stay(machine: Machine) -> None:
    assert asked(machine, "fchmod") == asked(machine, "fchmodat") == asked(machine, "utimensat") == error(0)
    assert asked(machine, "listxattr") == asked(machine, "fsetxattr") == error(errno.ENOTSUP)


@machines
@given(number=st.integers(451, 0x3FFFFFFF))
def test_a_call_that_is_newer_than_the_tables_does_not_exist(machine: Machine, number: int) -> None:
    assert verdict(PROGRAMS[machine.name, True], number, machine.audit) == ABSENT


@machines
@given(number=st.integers(0, 2**32 - 1), audit=st.integers(0, 2**32 - 1))
def test_a_call_in_another_machines_numbers_ends_the_process(
    machine: Machine, number: int, audit: int
) -> None:
    if audit != machine.audit:
        assert verdict(PROGRAMS[machine.name, True], number, audit) == KILL


@given(number=st.integers(0x40000000, 2**32 - 2))
def test_the_other_table_of_x86_64_ends_the_process(number: int) -> None:
    assert verdict(PROGRAMS["x86_64", True], number, X86_64.audit) == KILL


@machines
@given(
    number=st.integers(0, 2**32 - 1),
    arguments=st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6),
)
def test_every_call_gets_a_verdict(machine: Machine, number: int, arguments: list[int]) -> None:
    errors = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.ENOTTY, 0)
    known = (ALLOW, KILL, *(error(each) for each in errors))
    assert verdict(PROGRAMS[machine.name, True], number, machine.audit, arguments) in known


@machines
def test_a_verdict_is_a_few_steps_away_and_the_program_is_one_the_kernel_takes(machine: Machine) -> None:
    program = PROGRAMS[machine.name, True]
    assert len(program) < 4096  # BPF_MAXINSNS
    for at, (code, jump_true, jump_false, _) in enumerate(program):
        if code in (0x15, 0x35):
            assert max(jump_true, jump_false) < 256
            assert at + max(jump_true, jump_false) + 1 < len(program)
