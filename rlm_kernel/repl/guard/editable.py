"""Where packages lie that are installed in place by a finder of setuptools, and so not in any entry of the search path."""

from __future__ import annotations

import ast
import os

_FIRST, _LAST = "__editable__", "_finder.py"
_TABLES = ("MAPPING", "NAMESPACES")


def mapped(folder: str) -> list[str]:
    """The files and folders that the finders in that folder take packages from."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []  # a zip file, or nothing
    finders = [name for name in names if name.startswith(_FIRST) and name.endswith(_LAST)]
    return [path for name in sorted(finders) for path in _mapping(os.path.join(folder, name))]


def _mapping(finder: str) -> list[str]:
    try:
        with open(finder, encoding="utf-8") as file:
            module = ast.parse(file.read())
    except (OSError, ValueError, SyntaxError):
        return []  # Python cannot use it either
    found: list[str] = []
    for node in module.body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            if any(isinstance(target, ast.Name) and target.id in _TABLES for target in targets):
                found += _texts(node.value)
    return found


def _texts(table: ast.expr) -> list[str]:
    """The paths among the values of a literal dict: texts, or lists of texts."""
    values = table.values if isinstance(table, ast.Dict) else []
    constants = [each for value in values for each in ast.walk(value) if isinstance(each, ast.Constant)]
    texts = [each.value for each in constants if isinstance(each.value, str)]
    # A module is named without its ending.
    return [
        path for text in texts if os.path.isabs(text) for path in (text, f"{text}.py") if os.path.exists(path)
    ]


__all__ = ["mapped"]
