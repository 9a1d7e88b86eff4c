"""The line commands: `%rlm list`, `show`, `models`, `config`, `help`, `doctor`, and those that make runs from runs."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

from IPython.core.display_functions import display
from IPython.core.error import UsageError

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ConfigError, RLMError
from rlm_kernel.magic.derive import command as derive
from rlm_kernel.magic.derive import find_run, split, trace_files
from rlm_kernel.magic.doctor import examine
from rlm_kernel.magic.magics import COMMANDS, DERIVING, RlmMagics
from rlm_kernel.models import NO_MODEL, OpenAIModel
from rlm_kernel.run import Run
from rlm_kernel.trace import SUFFIX
from rlm_kernel.views import mime_bundle
from rlm_kernel.views.derived import origin_line
from rlm_kernel.views.summary import count

HELP = """\
%%rlm NAME [options]      ask the question in the cell about a variable; %%rlm? lists the options
%rlm list                 the runs of this notebook, and the traces in its folder
%rlm show ID [CALL]       a run's tree again, or one call of it: its prompt, code, output and reply
%rlm replay RUN           the run again from its trace: no model is asked
%rlm rerun RUN CALL       one call again: --prompt, --model, --temperature, -n SAMPLES
%rlm fork RUN STEP        the same up to a step, then another way: --hint, --code, --reply, --prompt, --model, --max-turns, --step …
%rlm resume RUN           go on where a run was interrupted, exhausted or cut off: --max-turns …
%rlm diff RUN OTHER       two runs side by side
                          a long text goes into the cell: %%rlm fork RUN 0.3 --code; -o NAME keeps the new run
%rlm models               which models can be asked, and what the server offers
%rlm config               the defaults; %config RlmMagics.max_depth = 3 changes one
%rlm doctor               what is installed, what works, how well model code is kept apart, and what to do about the rest
                          %%rlm NAME --isolation strict takes nothing less than guarded
%rlm help                 this page"""


def dispatch(magics: RlmMagics, line: str) -> None:
    """Runs the command in the line. Raises `UsageError` for one that does not exist."""
    name, *rest = split(line) or ["help"]
    command = _COMMANDS.get(name)
    if command is None:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean %rlm {near[0]}?" if near else f"there are {', '.join(COMMANDS)}."
        asked = " To ask a question, begin the cell with %%rlm." if name in magics.variables else ""
        raise UsageError(f"there is no %rlm {name}; {hint}{asked}")
    command(magics, rest)


def _help(magics: RlmMagics, words: list[str]) -> None:
    print(HELP)


def _list(magics: RlmMagics, words: list[str]) -> None:
    runs = magics.runs
    for run in runs:
        calls = sum(1 for _ in run.walk())
        told = origin_line(run.origin) if run.origin else " ".join(run.query.split())
        print(f"{run.id}  {run.status:11}  {count(calls, 'call'):>11}  {told[:90]}")
    known = {run.path for run in runs}
    files = [path for path in trace_files(magics) if path not in known]
    for path in files:
        print(f"{path.name.removesuffix(SUFFIX)}  on disk: %rlm show {path.name.removesuffix(SUFFIX)}")
    if not runs and not files:
        print("No run yet. Load your data and begin a cell with %%rlm NAME.")


def _show(magics: RlmMagics, words: list[str]) -> None:
    if not words:
        raise UsageError("%rlm show takes the id of a run; %rlm list has them")
    run = _find(magics, words[0])
    if len(words) == 1:
        display(mime_bundle(run.trace, inline_kb=magics.size_of(run.id)), raw=True)
        return
    try:
        print(run[words[1]])
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None


def _find(magics: RlmMagics, name: str) -> Run:
    try:
        return find_run(magics, name)
    except RLMError as error:
        raise UsageError(str(error)) from None


def _models(magics: RlmMagics, words: list[str]) -> None:
    print(f"model      {magics.model or '(none: name one with --model or %config RlmMagics.model)'}")
    print(f"sub-model  {magics.sub_model or '(the same)'}")
    print("demo       rules that need no key; not a language model")
    try:
        server = OpenAIModel(magics.model or "any", base_url=magics.base_url or None)
    except ConfigError:
        print(f"\nNo server: {NO_MODEL}")
        return
    print(f"\nserver     {server.origin}")
    try:
        names = submit(_offered(server)).result(30)
    except RLMError as error:
        raise UsageError(str(error)) from None
    print("\n".join(f"  {name}" for name in names) or "  (it lists no models)")


async def _offered(server: OpenAIModel) -> list[str]:
    try:
        return await server.models()
    finally:
        await server.close()


def _config(magics: RlmMagics, words: list[str]) -> None:
    for name, trait in sorted(magics.class_own_traits(config=True).items()):
        print(f"{name:16} {getattr(magics, name)!r:12} {trait.help}")
    print("\nChange one for this notebook: %config RlmMagics.max_depth = 3")


def _doctor(magics: RlmMagics, words: list[str]) -> None:
    print("\n".join(examine(magics)))


def _derive(kind: str, magics: RlmMagics, words: list[str]) -> None:
    derive(magics, kind, words)


_COMMANDS: dict[str, Callable[[RlmMagics, list[str]], None]] = {
    **dict(zip(COMMANDS, (_list, _show, _models, _config, _help, _doctor), strict=False)),
    **{kind: partial(_derive, kind) for kind in DERIVING},
}

__all__ = ["HELP", "dispatch"]
