"""Does something to a module when the model's code first imports it, so that the worker need not."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    import types
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from typing import Any

    Hook = Callable[[types.ModuleType], None]


def after_import(name: str, hook: Hook) -> None:
    """Calls the hook with the module of that name, now if it is there, else right after it is imported."""
    module = sys.modules.get(name)
    if module is not None:
        hook(module)
        return
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.hooks[name] = hook


class _Finder:
    def __init__(self) -> None:
        self.hooks: dict[str, Hook] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        hook = self.hooks.pop(name, None)
        if hook is None:
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and spec.loader is not None:
            _then(spec.loader, hook)
        return spec


def _then(loader: Any, hook: Hook) -> None:
    execute = loader.exec_module

    def execute_and_call(module: types.ModuleType) -> None:
        execute(module)
        hook(module)

    loader.exec_module = execute_and_call


_finder = _Finder()

__all__ = ["after_import"]
