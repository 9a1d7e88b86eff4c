"""What a block shares with the worker's own code, as it was before any block: builtins, modules both use, interpreter hooks.

A block may replace `print` or `json.dumps`, by mistake or not. That spoils its own rest and nothing else: all of it is put
back when the block ends, before the worker looks at what the block did, and again before the next one.
"""

from __future__ import annotations

import builtins
import sys

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SHARED = (
    "ast", "builtins", "io", "json", "json.decoder", "json.encoder", "linecache", "os", "threading", "time", "traceback",
)  # fmt: skip
# Others of `sys` are the block's to change: `argv`, `path`, `ps1`. Its streams are new for each block.
_HOOKS = (
    "breakpointhook",
    "displayhook",
    "excepthook",
    "meta_path",
    "modules",
    "path_hooks",
    "unraisablehook",
)
_MAX_NAMED = 5


class Pristine:
    """Puts back what it found when it was made. Nothing in `restore` may look up a builtin before they are back."""

    def __init__(self, own_builtins: dict[str, Any]) -> None:
        builtins.__dict__.update(own_builtins)
        shared = [(name, sys.modules[name].__dict__) for name in _SHARED if name in sys.modules]
        self._shared = [(name, now, dict(now)) for name, now in shared]
        self._sys = sys.__dict__
        self._hooks = {name: self._sys[name] for name in _HOOKS}
        self._lists: list[tuple[list[Any], tuple[Any, ...]]] = [
            (kept, tuple(kept)) for kept in (sys.meta_path, sys.path_hooks)
        ]
        self._modules, self._loaded = sys.modules, dict(sys.modules)
        self._path = tuple(sys.path)
        self._untrace: tuple[Callable[[None], None], ...] = (sys.settrace, sys.setprofile)
        self._recursion = sys.getrecursionlimit(), sys.getrecursionlimit, sys.setrecursionlimit
        self._switching = sys.getswitchinterval(), sys.setswitchinterval

    def restore(self) -> list[str]:
        """Puts everything back; the notes name what the block had replaced."""
        for untrace in self._untrace:
            untrace(None)
        spoiled = [
            f"{name}.{key}"
            for name, now, before in self._shared
            for key, value in before.items()
            if now.get(key, self) is not value
        ]
        for _, now, before in self._shared:
            now.update(before)
        self._restore_interpreter()
        return [_note(spoiled)] if spoiled else []

    def _restore_interpreter(self) -> None:
        self._sys.update(self._hooks)
        for kept, before in self._lists:
            kept += [item for item in before if item not in kept]
        for name, module in self._loaded.items():
            if self._modules.get(name) is None:
                self._modules[name] = module
        if type(sys.path) is not list:
            sys.path = []
        sys.path += [entry for entry in self._path if entry not in sys.path]
        least, get_limit, set_limit = self._recursion
        if get_limit() < least:
            set_limit(least)
        interval, set_interval = self._switching
        set_interval(interval)


def _note(spoiled: list[str]) -> str:
    named = ", ".join(f"`{name.removeprefix('builtins.')}`" for name in spoiled[:_MAX_NAMED])
    more = f" and {len(spoiled) - _MAX_NAMED:,} more" if len(spoiled) > _MAX_NAMED else ""
    return f"The block replaced {named}{more} of Python's own, which is back now; give your own version another name."


__all__ = ["Pristine"]
