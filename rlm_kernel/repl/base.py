"""Where code runs, as the engine sees it: the `Repl` protocol and what passes through it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rlm_kernel.repl.pack import Packed
from rlm_kernel.trace import CallKind, ErrorInfo, RichOutput, VariableChanges


@dataclass(frozen=True, kw_only=True)
class SubcallRequest:
    """One sub-call that a block issues. `packed` is its own context; `inherit` means its parent's."""

    kind: CallKind
    prompt: str
    model: str | None = None
    packed: Packed | None = None
    inherit: bool = False


@dataclass(frozen=True, kw_only=True)
class SubcallBatch:
    """The sub-calls of one `llm_query`, `rlm_query` or batched call, with the line and the lane that issued them."""

    requests: tuple[SubcallRequest, ...]
    batched: bool
    line: int
    code: str
    lane: str = ""

    def close(self) -> None:
        """Gives the contexts back, where nobody made the sub-calls."""
        for request in self.requests:
            if request.packed is not None:
                request.packed.close()


@dataclass(frozen=True, kw_only=True)
class SubcallResult:
    """What a sub-call gives back to the block: an answer or an error, never a string standing for one."""

    answer: str | None = None
    error: ErrorInfo | None = None


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What a lane of a block is expected to ask a plain model at once, and what it will be told. `model` is the one
    that answers."""

    prompts: tuple[str, ...]
    model: str
    batched: bool
    lane: str
    results: tuple[SubcallResult, ...]


Serve = Callable[[SubcallBatch], Awaitable[Sequence[SubcallResult]]]
"""How the engine answers a batch; raises `RLMError` to refuse it before anything is spent."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The `answer` variable after a block. `ready` is true only when the answer counts."""

    ready: bool = False
    content: str = ""
    how: str = ""


@dataclass(frozen=True, kw_only=True)
class BlockResult:
    """What a block did. `stdout` and `stderr` are head and tail of what it wrote, the `_chars` the true length;
    `outputs` are for people; `notes` are for the model (a scaffold name restored, an answer that does not count,
    variables lost)."""

    stdout: str = ""
    stderr: str = ""
    stdout_chars: int = 0
    stderr_chars: int = 0
    error: ErrorInfo | None = None
    submission: Submission = field(default_factory=Submission)
    variables: VariableChanges = field(default_factory=VariableChanges)
    outputs: tuple[RichOutput, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Repl(Protocol):
    """A namespace of its own in which blocks run one after the other."""

    isolation: str

    async def open(self) -> None:
        """Makes the namespace and loads its context. Raises `ContextError`, `ReplError`."""
        ...

    async def execute(
        self,
        code: str,
        *,
        name: str,
        serve: Serve,
        plain_children: bool = False,
        foreseen: Sequence[Foreseen] = (),
        model: str = "",
    ) -> BlockResult:
        """Runs a block named `name` (`<0.3 block 1>`), answering its sub-calls through `serve`. With `plain_children`
        an `rlm_query` comes as a plain request, its context in the prompt. What is `foreseen` the block is told at once,
        and `serve` gets to know of it; `model` is the one that answers requests which name none.

        Bad code is a result with `error`, never an exception. When cancelled, what the block wrote so far is in
        `partial()`.
        """
        ...

    def stop(self, why: ErrorInfo) -> None:
        """Ends the running block soon, and its sub-calls at once; it gives a result with that error, its variables
        kept if it lets them. Does nothing while no block runs."""
        ...

    def partial(self) -> BlockResult:
        """What the current or last block wrote so far."""
        ...

    async def values(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """The variables of those names, all when None, as objects, and under `answer` what is in it.

        Plain data, arrays and tables come as they are, anything else as an `Unrestored`. Between blocks only.
        Raises `ReplError`.
        """
        ...

    async def close(self) -> None:
        """Ends the namespace and everything it runs."""
        ...


__all__ = [
    "BlockResult",
    "Foreseen",
    "Repl",
    "Serve",
    "SubcallBatch",
    "SubcallRequest",
    "SubcallResult",
    "Submission",
]
