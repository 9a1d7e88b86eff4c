"""The standard streams of a block, new for each: over the descriptors the worker was born with, whatever the last block
closed or replaced.

A thread that outlives its block writes into the block that runs then. Its lines say whose they are.
"""

from __future__ import annotations

import io
import os
import sys

from rlm_kernel.repl.child import lanes

_MAX_LINE = 10_000


class Streams:
    """Holds on to the descriptors."""

    def __init__(self) -> None:
        self._saved = {number: os.dup(number) for number in (0, 1, 2)}

    def renew(self) -> None:
        """Gives the block that begins now streams of its own."""
        for number, saved in self._saved.items():
            os.dup2(saved, number)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
        sys.stdout, sys.stderr = _out(1), _out(2)

    def flush(self) -> None:
        """Sends on what Python still holds back."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (ValueError, OSError, AttributeError):
                continue  # the block closed or replaced it; the next block gets a new one


class BlockStream(io.TextIOWrapper):
    """A text stream that marks the lines of threads of earlier blocks."""

    def write(self, text: str, /) -> int:
        """Writes the text; a late thread's comes out line by line."""
        late = lanes.outlived()
        if late is None:
            return super().write(text)
        *lines, late.unfinished = f"{late.unfinished}{text}".split("\n")
        if len(late.unfinished) > _MAX_LINE:
            lines, late.unfinished = [*lines, late.unfinished], ""
        for line in lines:
            super().write(f"[a thread of {late.block}] {line}\n")
        return len(text)


def _out(number: int) -> BlockStream:
    raw = io.FileIO(number, "w", closefd=False)
    buffered = io.BufferedWriter(raw)
    return BlockStream(buffered, encoding="utf-8", errors="backslashreplace", line_buffering=True)


__all__ = ["BlockStream", "Streams"]
