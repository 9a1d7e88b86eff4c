"""How the fault tests do harm, and look at what is left: a run whose first block is hostile, and what came of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from scripts import ask, code, seen

from rlm_kernel import Run, ScriptedModel
from rlm_kernel.trace import CodeExecuted

LIMIT = 1.0
"""The time limit of a block in these tests, in seconds; 60 by default."""

SLACK = 1.5
"""What a run may take beyond what is promised, on a machine that is busy with other tests."""

NEXT = "print('next', context)"
"""The block after the hostile one: it runs, and its context is whole."""


class After:
    """A run whose root ran those blocks, each the text of one turn, and then submitted `then`."""

    def __init__(self, *blocks: str, then: str = "'ok'", context: Any = "some text", **options: Any) -> None:
        options.setdefault("block_seconds", LIMIT)
        started = time.monotonic()
        self.run: Run
        self.model: ScriptedModel
        self.run, self.model = ask(*map(code, blocks), code(f"FINAL({then})"), context=context, **options)
        self.seconds = time.monotonic() - started

    @property
    def answer(self) -> str:
        """What the run gave in the end."""
        return self.run.answer

    def told(self, block: int = 1) -> str:
        """What the model was told of the block of that turn."""
        return seen(self.model, block + 1)

    def executed(self, block: int = 1) -> CodeExecuted:
        """What the trace says of the block of that turn."""
        done = self.run["0"].turns[block - 1].blocks[0].executed
        assert done is not None
        return done

    def error(self, block: int = 1) -> str:
        """The error of the block of that turn, empty when it had none."""
        return str(self.executed(block).error or "")


class Memory:
    """How much this process's memory grew at most since the object was made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what it is now
        self._before = self._peak()

    def grown(self) -> int:
        """In bytes."""
        return self._peak() - self._before

    def _peak(self) -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
