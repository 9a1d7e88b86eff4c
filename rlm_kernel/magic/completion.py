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
    words = _words(found[1] == "%%", before.strip(), word)
    return {"completions": [SimpleCompletion(text=text) for text in words], "suppress": bool(words)}


def _words(cell: bool, before: str, word: str) -> list[str]:
    if not cell:
        return [name for name in COMMANDS if name.startswith(word)] if not before else []
    if word.startswith("-"):
        return [option for option in _options() if option.startswith(word)]
    if before.endswith(("--model", "-m", "--sub-model")):
        return [name for name in ("demo",) if name.startswith(word)]
    return [name for name in _variables() if name.startswith(word)]


def _options() -> list[str]:
    return sorted(option for action in RlmMagics.rlm.parser._actions for option in action.option_strings)


def _variables() -> list[str]:
    shell = get_ipython()
    return data_names(shell.user_ns) if shell else []


__all__ = ["complete"]
