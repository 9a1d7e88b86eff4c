"""What a `%%rlm` cell does: asks, draws until the run has ended, keeps the `Run`.

Loaded by the first cell that asks, not by `%load_ext`, which is to cost a notebook nothing.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from rlm_kernel.errors import RLMError
from rlm_kernel.magic.stepper import Stepper
from rlm_kernel.magic.variables import context_of
from rlm_kernel.magic.watch import explain, watch
from rlm_kernel.run import RLM, Run
from rlm_kernel.views.runs import RUNS

if TYPE_CHECKING:
    from rlm_kernel.magic.magics import RlmMagics

_EMPTY_IS_NONE = ("model", "sub_model", "base_url")
_NOT_OF_THE_RUN = ("inline_kb",)


def ask(magics: RlmMagics, query: str, context: Any, name: str, arguments: argparse.Namespace) -> None:
    """Runs the question to its end. Raises `UsageError` for whatever stops it, and lets Ctrl-C through."""
    RUNS.cell = magics.control.cell
    try:
        rlm = _rlm(magics, arguments)
        run = rlm.start(query, context=context, name=name)
    except RLMError as error:
        raise UsageError(str(error)) from None
    # What the notebook holds, it may let go of: a run in its list must not keep a gigabyte alive.
    spaces = magics.variables
    if all(each in spaces for each in arguments.names):
        run.look_up_context(lambda: context_of(arguments.names, spaces)[0])
    _keep(magics, run, arguments)
    stepper = Stepper(run, buttons=magics.control.front_end is not None) if rlm.settings.step else None
    live = hasattr(magics.host, "kernel")
    ended_by = watch(run, live=live, inline_kb=magics.size_of(run.id), stepper=stepper)
    magics.host.displayhook.update_user_ns(run)  # `_` is the run, without showing it a second time
    if ended_by is not None:
        raise UsageError(explain(ended_by))


def _rlm(magics: RlmMagics, arguments: argparse.Namespace) -> RLM:
    options: dict[str, Any] = {}
    for name in magics.class_own_traits(config=True):
        if name in _NOT_OF_THE_RUN:
            continue
        given = getattr(arguments, name)
        value = getattr(magics, name) if given is None else given
        options[name] = None if name in _EMPTY_IS_NONE and value == "" else value
    return RLM(**options)


def _keep(magics: RlmMagics, run: Run, arguments: argparse.Namespace) -> None:
    magics.runs.append(run)
    if arguments.inline_kb is not None:
        magics.sizes[run.id] = arguments.inline_kb
    if arguments.out:
        magics.variables[arguments.out] = run


__all__ = ["ask"]
