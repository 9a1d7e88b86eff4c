"""What a block cannot do here, refused with words that name what it can do instead."""

from __future__ import annotations

import re

from rlm_kernel.repl.child.imported import after_import

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    import types
    from typing import Any, NoReturn

_MAGIC = re.compile(r"\s*(?:[\w\s,]+=\s*)?(?:%%?\w|!+\s*[\w./~-])|\s*\?{1,2}[\w.]+\s*$|\s*[\w.]+\?{1,2}\s*$")
_NO_MAGIC = "Magics, shell commands and `?` do not work here, this is plain Python: import what you need, and use help()"
_NO_PROCESS = (
    "a block cannot start processes. Use threads (concurrent.futures.ThreadPoolExecutor), or llm_query_batched for many "
    "sub-calls at once"
)
_NOBODY = "input() has nobody to ask: no person types here. Take what you need from `context`, or ask with llm_query"


def no_input(prompt: object = "", /) -> NoReturn:
    """Says at once that nobody is there."""
    raise EOFError(_NOBODY)


def explain(error: SyntaxError) -> None:
    """Adds to the error of a block that holds a magic or a shell command that they do not work here."""
    if _MAGIC.match(error.text or ""):
        error.msg = f"{error.msg}. {_NO_MAGIC}"


def refuse_processes() -> None:
    """Has `multiprocessing` say what to use instead; it could not start anything under a guard."""
    after_import("multiprocessing.process", _refuse_start)
    after_import("multiprocessing.context", _refuse_pool)
    after_import("concurrent.futures.process", _refuse_executor)


def _refuse_start(module: types.ModuleType) -> None:
    module.BaseProcess.start = _refuse


def _refuse_pool(module: types.ModuleType) -> None:
    module.BaseContext.Pool = module.BaseContext.Manager = _refuse


def _refuse_executor(module: types.ModuleType) -> None:
    module.ProcessPoolExecutor.__init__ = _refuse


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise PermissionError(_NO_PROCESS)


__all__ = ["explain", "no_input", "refuse_processes"]
