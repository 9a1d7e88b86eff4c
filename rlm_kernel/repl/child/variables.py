"""What a block did to its variables, from a glance before and a glance after."""

from __future__ import annotations

import types

from rlm_kernel.repl.describe import brief, length_of, preview, type_name
from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

MAX_VARIABLES = 200
_HIDDEN = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
_PLAIN = (str, bytes, int, float, bool, list, tuple, dict, set, frozenset, type(None))

Glance = tuple[int, str, str, str]


def own_names(namespace: dict[str, Any], hidden: frozenset[str]) -> list[str]:
    """The names of the block's own variables: no modules, functions, classes or names with an underscore."""
    own = [name for name in namespace if name not in hidden and not name.startswith("_")]
    # By type: a `__class__` of the model's making could say, or do, anything.
    return [name for name in own if not issubclass(type(namespace[name]), _HIDDEN)]


def glance(namespace: dict[str, Any], hidden: frozenset[str]) -> dict[str, Glance]:
    """Identity, type, size and preview of each variable of the block's own."""
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
    # The repr of a stranger may be slow or long, so only plain values show one.
    try:
        text = preview(value, 120) if isinstance(value, _PLAIN) else ""
        return id(value), type_name(value), _size(value), text
    except BaseException:  # noqa: BLE001 - its properties and its class are the model's code
        return id(value), "object", "", ""


def _size(value: Any) -> str:
    if isinstance(value, int | float | bool | type(None)):
        return ""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return cut(brief(shape), 40)
    length = length_of(value)
    return "" if length is None else f"{length:,}"


def _variable(name: str, look: Glance) -> dict[str, str]:
    _, kind, size, text = look
    return {"name": name, "type": kind, "size": size, "preview": text}


__all__ = ["Glance", "changes", "glance", "own_names"]
