"""What of a searched folder is code: a folder of packages is read whole, of a project only its modules are.

A project's folder is searched because it is installed in place, or is on PYTHONPATH; its `.env`, its history and its
data lie in the same folder, and are nobody's business.
"""

from __future__ import annotations

import os

_INSTALLED = (".dist-info", ".egg")
_MODULES = (".py", ".pyc", ".so", ".zip", ".whl", ".egg-info", ".egg-link")


def is_installation(folder: str) -> bool:
    """Whether an installer made that folder, and nobody keeps files of their own in it."""
    return os.path.basename(folder) in ("site-packages", "dist-packages") or any(
        name.endswith(_INSTALLED) for name in _names(folder)
    )


def modules(folder: str) -> list[str]:
    """The modules and packages right in a project's folder."""
    paths = [os.path.join(folder, name) for name in _names(folder)]
    return [path for path in paths if path.endswith(_MODULES) or _is_package(path)]


def _is_package(path: str) -> bool:
    """Whether there is code in that folder, or one deeper: a namespace has none of its own."""
    if not os.path.basename(path).isidentifier() or not os.path.isdir(path):
        return False
    if _has_code(path):
        return True
    return any(name.isidentifier() and _has_code(os.path.join(path, name)) for name in _names(path))


def _has_code(folder: str) -> bool:
    return any(name.endswith((".py", ".so")) for name in _names(folder))


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []  # an archive, or nobody's to read


__all__ = ["is_installation", "modules"]
