"""`%rlm replay`, `rerun`, `fork`, `resume`, `diff`: from a line, or from a cell whose body is the text that is changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.display_functions import display
from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import RLMError, UnknownRun
from rlm_kernel.magic.stepper import Stepper
from rlm_kernel.magic.variables import check_name, context_of
from rlm_kernel.magic.watch import explain, watch
from rlm_kernel.run import Run, Variants, load
from rlm_kernel.trace import SUFFIX, Derived
from rlm_kernel.views.runs import RUNS

if TYPE_CHECKING:
    import argparse

    from rlm_kernel.magic.magics import RlmMagics

_LIMITS = ("max_turns", "max_calls", "max_depth", "max_tokens", "max_seconds", "max_errors", "block_seconds")
_TEXTS = {"fork": ("code", "reply", "hint", "prompt"), "rerun": ("prompt",)}
_BODY = object()
"""Stands for a text that is in the body of the cell."""


def command(magics: RlmMagics, kind: str, words: list[str], body: str | None = None) -> None:
    """Runs the command. Raises `UsageError` for whatever stops it, and lets Ctrl-C through."""
    arguments = _parsed(kind, words, body)
    try:
        run = find_run(magics, arguments.run)
        if kind == "diff":
            display(run.diff(find_run(magics, arguments.other)))
            return
        made = _made(magics, run, kind, arguments)
    except RLMError as error:
        raise UsageError(str(error)) from None
    if isinstance(made, Variants):
        _show_variants(magics, made, arguments.out)
    else:
        _show(magics, made, arguments.out, step=bool(getattr(arguments, "step", None)))


def derived(magics: RlmMagics, run_id: str, kind: Derived, at: str, edit: Mapping[str, Any]) -> list[Run]:
    """New runs, under way, made from that one, as a front end wants them. Raises `RLMError`."""
    made = _ready(magics, find_run(magics, run_id)).derive(kind, at, edit)
    for run in made:
        _keep(magics, run)
    return made


def find_run(magics: RlmMagics, name: str) -> Run:
    """The run of that id, or whose id begins so: of this notebook, of this process, of a file. Raises `UnknownRun`,
    `TraceError`."""
    for run in reversed(magics.runs):
        if run.id == name or run.id.startswith(name):
            return run
    here = RUNS.get(name)
    if isinstance(here, Run):
        return here
    if isinstance(magics.variables.get(name), Run):
        named: Run = magics.variables[name]
        return named
    for path in (Path(name), *(path for path in trace_files(magics) if path.name.startswith(name))):
        if path.is_file():
            return _loaded(magics, path)
    near = get_close_matches(name, [run.id for run in magics.runs], n=1)
    hint = f"; did you mean {near[0]}?" if near else "; %rlm list has them"
    raise UnknownRun(f"there is no run {name!r}{hint}", run_id=name)


def trace_files(magics: RlmMagics) -> list[Path]:
    """The traces in the notebook's folder, the newest first."""
    folder = Path(magics.trace_dir).expanduser().absolute()
    return sorted(folder.glob(f"*{SUFFIX}"), reverse=True) if folder.is_dir() else []


def _loaded(magics: RlmMagics, path: Path) -> Run:
    run = load(path)
    card = run.trace.started.context if run.trace.started else None
    if card is not None:
        names = [card.name] if card.name in magics.variables else card.name.split("-")
        if all(name in magics.variables for name in names):
            run.look_up_context(lambda: context_of(names, magics.variables)[0])
    return run


def _ready(magics: RlmMagics, run: Run) -> Run:
    return run.reach(base_url=magics.base_url or None)


def _parsed(kind: str, words: list[str], body: str | None) -> argparse.Namespace:
    parser = _parser(kind, cell=body is not None)
    arguments: argparse.Namespace = parser.parse_args(words)
    check_name(getattr(arguments, "out", None))
    in_body = [name for name in _TEXTS.get(kind, ()) if getattr(arguments, name) is _BODY]
    if body is not None and len(in_body) != 1:
        wanted = " or ".join(f"--{name}" for name in _TEXTS.get(kind, ())) or "nothing"
        raise UsageError(f"the cell's body is one text: say which with {wanted}, at the end of the line")
    for name in in_body:
        if body is None:
            raise UsageError(f"--{name} needs a text; a long one goes into the cell: %%rlm {kind} … --{name}")
        setattr(arguments, name, body.strip("\n"))
    return arguments


def _parser(kind: str, *, cell: bool) -> MagicArgumentParser:
    parser = MagicArgumentParser(prog=f"%{'%' if cell else ''}rlm {kind}", add_help=False)
    parser.add_argument("run", metavar="RUN")
    if kind == "diff":
        parser.add_argument("other", metavar="OTHER")
        return parser
    if kind in ("fork", "rerun"):
        parser.add_argument("at", metavar="STEP")
    parser.add_argument("-o", "--out", metavar="NAME")
    parser.add_argument("--context", metavar="NAME")
    for name in _TEXTS.get(kind, ()):
        parser.add_argument(f"--{name}", nargs="?", const=_BODY)
    if kind != "replay":
        parser.add_argument("-m", "--model")
    if kind == "fork":
        parser.add_argument("--block", type=int)
    if kind == "rerun":
        parser.add_argument("--temperature", type=float)
        parser.add_argument("-n", type=int)
    if kind != "rerun":
        parser.add_argument("--isolation")
    if kind in ("fork", "resume"):
        for name in _LIMITS:
            number = float if "float" in str(Settings.__annotations__[name]) else int
            parser.add_argument(f"--{name.replace('_', '-')}", type=number)
        parser.add_argument("--step", action="store_true", default=None)
    return parser


def _made(magics: RlmMagics, run: Run, kind: str, arguments: argparse.Namespace) -> Run | Variants:
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    limits = {name: given.pop(name) for name in (*_LIMITS, "isolation", "step") if name in given}
    options = {name: value for name, value in given.items() if name not in ("run", "out", "at", "context")}
    if limits:
        options["limits"] = limits
    if arguments.context:
        options |= {"context": context_of([arguments.context], magics.variables)[0], "other_context": True}
    method = getattr(_ready(magics, run), kind)
    made: Run | Variants = method(*([arguments.at] if "at" in given else []), **options, wait=False)
    return made


def _show(magics: RlmMagics, run: Run, out: str | None, *, step: bool) -> None:
    _keep(magics, run)
    if out:
        magics.variables[out] = run
    stepper = Stepper(run, buttons=magics.control.front_end is not None) if step else None
    live = hasattr(magics.host, "kernel")
    ended_by = watch(run, live=live, inline_kb=magics.size_of(run.id), stepper=stepper)
    magics.host.displayhook.update_user_ns(run)
    if ended_by is not None:
        raise UsageError(explain(ended_by))


def _show_variants(magics: RlmMagics, variants: Variants, out: str | None) -> None:
    for run in variants.runs:
        _keep(magics, run)
    if out:
        magics.variables[out] = variants
    try:
        variants.wait()
    except RLMError as error:
        display(variants)
        raise UsageError(explain(error)) from None
    display(variants)
    magics.host.displayhook.update_user_ns(variants)


def _keep(magics: RlmMagics, run: Run) -> None:
    magics.runs.append(run)


def split(line: str) -> list[str]:
    """The words of a line. Raises `UsageError` for quotes that do not end."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: check the quotes in the line") from None


__all__ = ["command", "derived", "find_run", "split", "trace_files"]
