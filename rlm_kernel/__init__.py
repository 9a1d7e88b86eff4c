"""Recursive Language Models in Jupyter: ask a question about a live variable, see the recursion, keep the trace.

In a notebook: `%load_ext rlm_kernel`, then `%%rlm papers` with the question in the cell. In Python: `RLM`, `Run`,
`load`. Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from rlm_kernel.engine.settings import Settings
    from rlm_kernel.errors import RLMError
    from rlm_kernel.models import Model, OpenAIModel, Reply, Request, ScriptedModel
    from rlm_kernel.run import RLM, Run, load
    from rlm_kernel.trace import Call, Trace, Usage
    from rlm_kernel.version import __version__

_HOMES = {
    "RLM": "rlm_kernel.run",
    "Call": "rlm_kernel.trace",
    "Model": "rlm_kernel.models",
    "OpenAIModel": "rlm_kernel.models",
    "RLMError": "rlm_kernel.errors",
    "Reply": "rlm_kernel.models",
    "Request": "rlm_kernel.models",
    "Run": "rlm_kernel.run",
    "ScriptedModel": "rlm_kernel.models",
    "Settings": "rlm_kernel.engine.settings",
    "Trace": "rlm_kernel.trace",
    "Usage": "rlm_kernel.trace",
    "__version__": "rlm_kernel.version",
    "load": "rlm_kernel.run",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rlm_kernel' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Registers `%%rlm` and `%rlm` with the shell."""
    import_module("rlm_kernel.magic").register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Takes `%%rlm` and `%rlm` away again."""
    import_module("rlm_kernel.magic").unregister(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "rlm-kernel"}]


__all__ = [
    "RLM",
    "Call",
    "Model",
    "OpenAIModel",
    "RLMError",
    "Reply",
    "Request",
    "Run",
    "ScriptedModel",
    "Settings",
    "Trace",
    "Usage",
    "__version__",
    "load",
]
