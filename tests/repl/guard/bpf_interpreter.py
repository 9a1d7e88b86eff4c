"""The kernel's reading of a seccomp filter, in Python: what a system call would get."""

from __future__ import annotations

import struct
from collections.abc import Sequence

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def verdict(
    program: Sequence[tuple[int, int, int, int]], number: int, audit: int, arguments: Sequence[int] = ()
) -> int:
    """What the filter returns for that call; an operation that seccomp does not have is a KeyError."""
    six = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, audit, 0, *(each & (2**64 - 1) for each in six))
    accumulator, at = 0, 0
    while True:
        code, jump_true, jump_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                assert operand % 4 == 0 and operand <= 60, "a load outside struct seccomp_data"
                (accumulator,) = struct.unpack_from("=I", data, operand)
            case 0x54:
                accumulator &= operand
            case 0x05:
                at += operand
            case 0x15:
                at += jump_true if accumulator == operand else jump_false
            case 0x35:
                at += jump_true if accumulator >= operand else jump_false
            case 0x06:
                return operand
            case _:
                raise KeyError(hex(code))


def error(number: int) -> int:
    """What a filter returns for a call that fails with that errno."""
    return ERRNO | number
