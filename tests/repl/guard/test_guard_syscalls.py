from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rlm_kernel.repl.guard.syscalls import AARCH64, MACHINES, X86_64, here

INCLUDE = Path("/usr/include")
GENERIC = INCLUDE / "asm-generic" / "unistd.h"
INTEL = INCLUDE / "x86_64-linux-gnu" / "asm" / "unistd_64.h"
# What Linux has no more, or never had; guarded code gets the same "no such call" from the filter.
GONE = """
    _sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms get_thread_area getpmsg lookup_dcookie
    nfsservctl putpmsg query_module security set_thread_area tuxcall uselib vserver
"""
# What was added in between is x86's alone, and newer.
KNOWN = {*range(335), *range(424, 451)}


def defined(header: Path) -> dict[str, int]:
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text("utf-8"), re.MULTILINE)
    return {name: int(number) for name, number in found if int(number) in KNOWN}


@pytest.mark.skipif(not INTEL.exists(), reason="the headers of x86_64 are not installed")
def test_the_numbers_of_x86_64_are_those_of_the_kernel() -> None:
    headers = defined(INTEL)
    assert dict(X86_64.numbers) == {
        name: number for name, number in headers.items() if name not in GONE.split()
    }


@pytest.mark.skipif(not GENERIC.exists(), reason="the generic headers are not installed")
def test_the_numbers_of_aarch64_are_those_of_the_kernel() -> None:
    headers = defined(GENERIC)
    headers["newfstatat"] = headers.pop("fstatat")
    expected = {
        name: number
        for name, number in headers.items()
        if name not in {*GONE.split(), "arch_specific_syscall", "sync_file_range2"}
    }
    assert dict(AARCH64.numbers) == expected


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_a_number_has_one_name(machine: object) -> None:
    numbers = MACHINES[getattr(machine, "name", "")].numbers
    assert len(set(numbers.values())) == len(numbers)


def test_some_numbers_that_everybody_knows() -> None:
    assert (X86_64.numbers["read"], X86_64.numbers["execve"], X86_64.numbers["clone3"]) == (0, 59, 435)
    assert (AARCH64.numbers["read"], AARCH64.numbers["execve"], AARCH64.numbers["clone3"]) == (63, 221, 435)
    assert (X86_64.audit, AARCH64.audit) == (0xC000003E, 0xC00000B7)


def test_another_machine_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*uname[:4], "riscv64")))
    assert here() is None


def test_a_32_bit_interpreter_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.maxsize", 2**31 - 1)
    assert here() is None
