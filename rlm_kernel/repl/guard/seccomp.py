"""The seccomp filter: a small program, built as data, that the kernel runs before every system call of guarded code.

Numbers with the same verdict are one interval, and the program is a binary search over the intervals, so a call costs
a handful of comparisons. `policy.py` says what is refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from rlm_kernel.repl.guard.linux import MACHINE, call
from rlm_kernel.repl.guard.policy import UNKNOWN, Verdict, verdicts

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from rlm_kernel.repl.guard.policy import Condition
    from rlm_kernel.repl.guard.syscalls import Machine

    Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand: struct sock_filter
    Program = list[Instruction]

LOAD, AND, JUMP, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_*
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_SHORT = 255  # the longest jump of a comparison
_X32 = 0x40000000  # x86_64 kernels may take calls of another table, with this bit set
_LAST = 0xFFFFFFFF
_INSTRUCTION, _OPERAND = struct.Struct("=HBBI"), struct.Struct("=I")
_NOBODY = 0x7FFFFFF1  # no process has this number: they end at 2**22
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _GET_ACTION_AVAIL = 38, 1, 2


def offered() -> bool:
    """Whether this kernel takes filters that can end a process. Changes nothing."""
    try:
        return call("seccomp", _GET_ACTION_AVAIL, 0, struct.pack("=I", KILL)) == 0
    except OSError:
        return False


def install(*, landlock_truncates: bool) -> None:
    """Puts the filter on this thread and what it starts, for good. Raises `OSError`."""
    code, own = prepare(landlock_truncates=landlock_truncates)
    for offset in own:
        _OPERAND.pack_into(code, offset, os.getpid())
    header = struct.pack("@HP", len(code) // _INSTRUCTION.size, ctypes.addressof(code))  # struct sock_fprog
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1)
    call("seccomp", _SET_MODE_FILTER, 0, header)


def prepare(*, landlock_truncates: bool) -> tuple[ctypes.Array[ctypes.c_char], list[int]]:
    """The filter of this machine as the kernel takes it, and where in it the process's number belongs; made once, so
    a process that forks can have it ready."""
    if MACHINE is None:
        raise OSError(errno.ENOSYS, "no filter is known for this machine")
    if landlock_truncates not in _prepared:
        program = assemble(MACHINE, _NOBODY, landlock_truncates=landlock_truncates)
        code = b"".join(_INSTRUCTION.pack(*each) for each in program)
        own = [index * _INSTRUCTION.size + 4 for index, each in enumerate(program) if each[3] == _NOBODY]
        _prepared[landlock_truncates] = ctypes.create_string_buffer(code, len(code)), own
    return _prepared[landlock_truncates]


_prepared: dict[bool, tuple[ctypes.Array[ctypes.c_char], list[int]]] = {}


def assemble(machine: Machine, pid: int, *, landlock_truncates: bool) -> Program:
    """The filter for one process on that machine."""
    search = _search(_intervals(machine, verdicts(machine, pid, landlock_truncates=landlock_truncates)))
    return [
        (LOAD, 0, 0, _ARCH),
        (IF_EQUAL, 1, 0, machine.audit),
        (RETURN, 0, 0, KILL),  # a call in another machine's numbers is nobody's honest code
        (LOAD, 0, 0, _NUMBER),
        *search,
    ]


def _intervals(machine: Machine, special: dict[int, Verdict]) -> list[tuple[int, Program]]:
    """Where each stretch of equal verdicts begins, and what is to be done in it."""
    allowed, unknown = [(RETURN, 0, 0, ALLOW)], _judge(UNKNOWN)
    known = set(machine.numbers.values())
    judged = {verdict: _judge(verdict) for verdict in set(special.values())}
    found: list[tuple[int, Program]] = []
    for number in range(max(known) + 2):
        what = judged[special[number]] if number in special else allowed if number in known else unknown
        if not found or found[-1][1] is not what:
            found.append((number, what))
    if machine.name == "x86_64":
        found += [(_X32, [(RETURN, 0, 0, KILL)]), (_LAST, unknown)]  # -1 is what a debugger leaves of a call
    return found


def _search(intervals: list[tuple[int, Program]]) -> Program:
    """Finds the interval of the loaded number, and does what is to be done there."""
    if len(intervals) == 1:
        return intervals[0][1]
    middle = len(intervals) // 2
    below, above = _search(intervals[:middle]), _search(intervals[middle:])
    start = intervals[middle][0]
    if len(below) <= _SHORT:
        return [(IF_AT_LEAST, len(below), 0, start), *below, *above]
    return [(IF_AT_LEAST, 0, 1, start), (JUMP, 0, 0, len(below)), *below, *above]


def _judge(verdict: Verdict) -> Program:
    """Allows what meets all conditions; a verdict without any meets none."""
    failed = (RETURN, 0, 0, FAIL | verdict.error)
    if not verdict.conditions:
        return [failed]
    code: Program = []
    for condition in verdict.conditions:
        code += _test(condition, failed)
    return [*code, (RETURN, 0, 0, ALLOW)]


def _test(condition: Condition, failed: Instruction) -> Program:
    """Goes on behind itself when the condition holds."""
    values = condition.values
    code = [(LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument), (AND, 0, 0, condition.mask)]
    for left, value in zip(range(len(values) - 1, -1, -1), values, strict=True):
        # Behind the comparisons stands the failure: a match jumps over it or onto it, the last mismatch likewise.
        match = left + 1 if condition.among else left
        mismatch = 0 if left or condition.among else 1
        code.append((IF_EQUAL, match, mismatch, value))
    return [*code, failed]


__all__ = ["ALLOW", "FAIL", "KILL", "assemble", "install", "offered"]
