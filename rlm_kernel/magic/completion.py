"""Tab completion in a `%%rlm` or `%rlm` line: options, variable names, sub-commands."""

from __future__ import annotations

import re

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.getipython import get_ipython

from rlm_kernel.magic.magics import COMMANDS, DERIVING, RlmMagics
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
        return _line_words(before)
    if word.startswith("-"):
        return "option", _options()
    if before.endswith(("--model", "-m", "--sub-model")):
        return "model", ["demo"]
    return "variable", _variables()


def _line_words(before: str) -> tuple[str, list[str]]:
    words = before.split()
    if not words:
        return "command", list(COMMANDS)
    wants_run = words[0] in ("show", *DERIVING) and len(words) <= (2 if words[0] == "diff" else 1)
    return "run", _runs() if wants_run else []


def _runs() -> list[str]:
    """The runs of this notebook: the variables that hold them first, they are shorter."""
    shell = get_ipython()
    magics = [] if shell is None else [each for each in shell.configurables if isinstance(each, RlmMagics)]
    if not magics:
        return []
    runs = magics[0].runs
    named = [name for name, value in magics[0].variables.items() if any(value is run for run in runs)]
    return [name for name in named if not name.startswith("_")] + [run.id for run in reversed(runs)]


def _options() -> list[str]:
    return sorted(option for action in RlmMagics.rlm.parser._actions for option in action.option_strings)


def _variables() -> list[str]:
    shell = get_ipython()
    return data_names(shell.user_ns) if shell else []


__all__ = ["complete"]
