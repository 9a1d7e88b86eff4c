"""The notebook's variables: found by name, suggested when the name is wrong."""

from __future__ import annotations

import types
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any

from IPython.core.error import UsageError

_OWN = {"In", "Out", "exit", "quit", "get_ipython", "open"}
_HIDDEN = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)


def context_of(names: list[str], *spaces: dict[str, Any]) -> tuple[Any, str]:
    """The context that these names make, and its own name: the value of one, a dict by name of several.

    Spaces are searched in order. Raises `UsageError` for no name or an unknown one.
    """
    if not names:
        raise UsageError(f"name the variable to ask about: %%rlm NAME.{_some(spaces)}")
    values = {name: _find(name, spaces) for name in names}
    return (values[names[0]], names[0]) if len(values) == 1 else (values, "-".join(values))


def check_name(name: str | None) -> None:
    """Raises `UsageError` for what is given to `-o` and cannot be a variable."""
    if name and (not name.isidentifier() or iskeyword(name)):
        raise UsageError(f"-o takes a variable's name, not {name!r}")


def data_names(space: dict[str, Any]) -> list[str]:
    """The names of the user's own data: neither modules nor functions nor IPython's own."""
    return sorted(
        name
        for name, value in space.items()
        if not name.startswith("_") and name not in _OWN and not isinstance(value, _HIDDEN)
    )


def _find(name: str, spaces: tuple[dict[str, Any], ...]) -> Any:
    for space in spaces:
        if name in space:
            return space[name]
    known = dict.fromkeys(known for space in spaces for known in data_names(space))
    near = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else _some(spaces)
    raise UsageError(f"there is no variable {name!r}.{hint}")


def _some(spaces: tuple[dict[str, Any], ...]) -> str:
    names = list(dict.fromkeys(name for space in spaces for name in data_names(space)))
    more = ", …" if len(names) > 8 else "."
    return (
        f" There are: {', '.join(names[:8])}{more}"
        if names
        else " There is no variable yet: load your data first."
    )


__all__ = ["check_name", "context_of", "data_names"]
