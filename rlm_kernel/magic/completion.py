"""Tab completion in a `%%rlm` or `%rlm` line: options, variable names, sub-commands."""

from __future__ import annotations

import re

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.getipython import get_ipython

from rlm_kernel.magic.magics import COMMANDS, RlmMagics
from rlm_kernel.magic.variables import data_names

_LINE = re.compile(r"^\s*(%%?)rlm\s+(.*)$")


@context_matcher()
def complete(context: CompletionContext) -> SimpleMatcherResult:
    """What may come next in the magic's line; nothing anywhere else."""
    line = context.full_text.splitlines()[context.cursor_line] if context.full_text else ""
    found = _LINE.match(line[: context.cursor_position])
    if found is None:
        return {"completions": []}
    before, _, word = found[2].rpartition(" ")
    kind, words = _words(found[1] == "%%", before.strip(), word)
    completions = [SimpleCompletion(text=text, type=kind) for text in words if text.startswith(word)]
    return {"completions": completions, "suppress": bool(completions)}


def _words(cell: bool, before: str, word: str) -> tuple[str, list[str]]:
    if not cell:
        return "command", list(COMMANDS) if not before else []
    if word.startswith("-"):
        return "option", _options()
    if before.endswith(("--model", "-m", "--sub-model")):
        return "model", ["demo"]
    return "variable", _variables()


def _options() -> list[str]:
    return sorted(option for action in RlmMagics.rlm.parser._actions for option in action.option_strings)


def _variables() -> list[str]:
    shell = get_ipython()
    return data_names(shell.user_ns) if shell else []


__all__ = ["complete"]
