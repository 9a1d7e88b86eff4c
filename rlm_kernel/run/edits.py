"""What a person wants changed at a step, checked against what the step is."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields

from rlm_kernel.engine.blocks import parse, with_block
from rlm_kernel.engine.plan import Edit
from rlm_kernel.errors import ConfigError
from rlm_kernel.models import Model
from rlm_kernel.trace import Step

_FIT = {
    "turn": ("code", "block", "reply", "hint", "model"),
    "rlm call": ("prompt", "hint", "model"),
    "llm call": ("prompt", "reply", "model"),
}
_ONE_OF = ("code", "reply", "hint", "prompt")


@dataclass(frozen=True, kw_only=True)
class Change:
    """The options of a fork as they were given. `block` counts from 1."""

    code: str | None = None
    block: int | None = None
    reply: str | None = None
    hint: str | None = None
    prompt: str | None = None
    model: Model | None = None

    @property
    def given(self) -> dict[str, object]:
        """Those that were given, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def at(self, step: Step) -> Edit:
        """The edit of that step. Raises `ConfigError` for one that does not fit it."""
        self._check(step)
        reply = self.reply if self.code is None else self._reply(step, self.code)
        return Edit(step=step, reply=reply, hint=self.hint, prompt=self.prompt, model=self.model)

    def _check(self, step: Step) -> None:
        what = "turn" if step.turn else f"{step.call.kind} call"
        for name in self.given:
            if name not in _FIT[what]:
                also = _hint(name, step)
                raise ConfigError(
                    f"{step} is a{'n' if what[0] in 'lr' else ''} {what}: {name}= changes nothing there; it takes "
                    f"{', '.join(_FIT[what])}{also}",
                    setting=name,
                )
        if self.block is not None and self.code is None:
            raise ConfigError("block= says which block code= goes into: give it code=", setting="block")
        texts = [name for name in _ONE_OF if name in self.given]
        if len(texts) > 1:
            raise ConfigError(f"one change at a time: {' or '.join(texts)}", setting=texts[1])
        for name in texts:
            if not str(self.given[name]).strip():
                raise ConfigError(f"{name}= is empty", setting=name)

    def _reply(self, step: Step, code: str) -> str:
        try:
            compile(code, f"{step}, code", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            told = error.msg if isinstance(error, SyntaxError) else str(error)
            raise ConfigError(
                f"the code does not parse{line}: {told}. Nothing was run.", setting="code"
            ) from None
        said = step.turn.reply.text if step.turn and step.turn.reply else ""
        blocks = parse(said).blocks
        if not blocks:
            raise ConfigError(
                f"turn {step} has no code block: give it a whole reply with reply=", setting="code"
            )
        if self.block is None and len(blocks) > 1:
            raise ConfigError(f"turn {step} has {len(blocks)} blocks: say which with block=", setting="block")
        number = 1 if self.block is None else self.block
        if not 1 <= number <= len(blocks):
            raise ConfigError(f"turn {step} has no block {number}, only {len(blocks)}", setting="block")
        return with_block(said, number, code)


def _hint(name: str, step: Step) -> str:
    if (
        step.turn is None
        and step.call.kind == "rlm"
        and name in ("code", "block", "reply")
        and step.call.turns
    ):
        return f". Name a turn of it: {step.call.id}.{step.call.turns[0].number}"
    if step.turn is not None and name == "prompt":
        return f". Name the call: {step.call.id}"
    return ""


__all__ = ["Change"]
