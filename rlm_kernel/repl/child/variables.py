"""What a block did to its variables, from a glance before and a glance after."""

from __future__ import annotations

import types

from rlm_kernel.repl.child.fingerprint import fingerprint
from rlm_kernel.repl.child.glimpse import glimpse
from rlm_kernel.repl.describe import brief, length_of, preview, type_name
from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

MAX_VARIABLES = 200
_HIDDEN = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
_PLAIN = (str, bytes, int, float, bool, type(None))
_CONTAINERS = (list, tuple, dict, set, frozenset)

_MARKED = 100

Glance = tuple[int, int, str, str, str]


def own_names(namespace: dict[str, Any], hidden: frozenset[str]) -> list[str]:
    """The names of the block's own variables: no modules, functions, classes or names with an underscore."""
    own = [name for name in namespace if name not in hidden and not name.startswith("_")]
    # By type: a `__class__` of the model's making could say, or do, anything.
    return [name for name in own if not issubclass(type(namespace[name]), _HIDDEN)]


def glance(namespace: dict[str, Any], hidden: frozenset[str]) -> dict[str, Glance]:
    """Identity, fingerprint, type, size and preview of each variable of the block's own."""
    return {name: _look(namespace[name]) for name in own_names(namespace, hidden)[:MAX_VARIABLES]}


def changes(before: dict[str, Glance], after: dict[str, Glance]) -> dict[str, Any]:
    """The variables added, changed and removed, as `VariableChanges` spells them."""
    return {
        "added": [_variable(name, after[name]) for name in after if name not in before],
        "changed": [
            _variable(name, after[name]) for name in after if before.get(name, after[name]) != after[name]
        ],
        "removed": [name for name in before if name not in after],
    }


def _look(value: Any) -> Glance:
    # Nobody limits the time of this, so a class that the model wrote is asked for nothing.
    kind = type(value)
    try:
        if any(base.__module__ == "__main__" for base in kind.__mro__):
            return id(value), 0, type_name(value), "", ""
        if kind in _CONTAINERS:
            return (
                id(value),
                fingerprint(value, _MARKED),
                type_name(value),
                _size(value),
                glimpse(value, plain=True),
            )
        return id(value), 0, type_name(value), _size(value), preview(value, 120) if kind in _PLAIN else ""
    except BaseException:  # noqa: BLE001 - its properties and its class are anybody's code
        return id(value), 0, "object", "", "<unprintable>"


def _size(value: Any) -> str:
    if isinstance(value, int | float | bool | type(None)):
        return ""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return cut(brief(shape), 40)
    length = length_of(value)
    return "" if length is None else f"{length:,}"


def _variable(name: str, look: Glance) -> dict[str, str]:
    _, _, kind, size, text = look
    return {"name": name, "type": kind, "size": size, "preview": text}


__all__ = ["Glance", "changes", "glance", "own_names"]
