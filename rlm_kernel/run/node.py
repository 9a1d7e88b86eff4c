"""`Node`: a step of a run in Python: what is recorded of it, and what can be restored by replaying up to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_kernel import views
from rlm_kernel.trace import Call, ModelReplied, Step, Turn

Restore = Callable[..., dict[str, Any]]


class Node:
    """A call, or a turn of one. Everything that `Call` has, it has too: `run["0.3.2"].answer`."""

    def __init__(self, step: Step, restore: Restore) -> None:
        self.step = step
        self._restore = restore

    @property
    def call(self) -> Call:
        """The call that it is, or whose turn it is."""
        return self.step.call

    @property
    def turn(self) -> Turn | None:
        """The turn, if it is one."""
        return self.step.turn

    @property
    def id(self) -> str:
        """The path that names it."""
        return str(self.step)

    @property
    def prompt(self) -> str:
        """What was asked: a call's prompt, the newest message of a turn."""
        turn = self.step.turn
        if turn is None:
            return self.call.prompt
        return turn.messages[-1].content if turn.messages else ""

    @property
    def reply(self) -> ModelReplied | None:
        """What its model said (last)."""
        return self.step.turn.reply if self.step.turn else self.call.reply

    @property
    def code(self) -> str:
        """The code that ran, block after block; empty for an llm call."""
        turns = [self.step.turn] if self.step.turn else self.call.turns
        ran = [block.executed.code for turn in turns for block in turn.blocks if block.executed]
        return "\n\n".join(ran)

    @property
    def output(self) -> str:
        """What that printed."""
        turns = [self.step.turn] if self.step.turn else self.call.turns
        return "".join(block.executed.stdout for turn in turns for block in turn.blocks if block.executed)

    @property
    def result(self) -> Any:
        """What it gave, as a Python object: an llm call's reply is a text; for an rlm call or a turn it is what its
        code had put into `answer["content"]`, restored by replaying. Raises as `variables` does."""
        if self.call.kind == "llm":
            return self.call.answer
        return self.variables("answer")["answer"]

    def variables(self, *names: str, context: Any = None, other_context: bool = False) -> dict[str, Any]:
        """The variables as they were after this step, by name; only those named, or all.

        The run is replayed up to here, which asks no model. What cannot leave its process is an `Unrestored` that says
        why. Raises `ContextMissing`, `ContextMismatch`, `NotReached`.
        """
        return self._restore(self.step, names, context=context, other_context=other_context)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "step":  # a copy that is being made has no step yet
            raise AttributeError(name)
        return getattr(self.step.call, name)

    def __str__(self) -> str:
        return views.call_text(self.call)

    def __repr__(self) -> str:
        what = "turn" if self.step.turn else f"{self.call.kind} call"
        return f"<{what} {self.id}, {self.call.status}>"


__all__ = ["Node", "Restore"]
