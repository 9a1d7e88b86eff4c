"""What a worker does with itself before it runs anything: its own place, its limits, its guard, and the proof of that.

Runs on the main thread while there is no other: a guard holds for the thread that takes it on and for those it starts.
"""

from __future__ import annotations

import os
import sys

from rlm_kernel.repl.child.imported import after_import
from rlm_kernel.repl.guard import limits
from rlm_kernel.repl.guard.caches import copy_font_lists

CONTEXT_GROWS = 4
"""How much more a context can take as objects than packed."""
FONTS = ".matplotlib"
"""The folder, in the work directory, that matplotlib takes for its own."""

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any


def settle(order: dict[str, Any]) -> dict[str, Any]:
    """The level that the worker has, and `holes`: what a guarded one could still do and must not, or why it has no guard."""
    workdir = order["workdir"]
    os.chdir(workdir)
    os.environ.update(HOME=workdir, TMPDIR=workdir, LANG="C.UTF-8", LOGNAME="rlm")
    os.environ["MPLCONFIGDIR"] = os.path.join(workdir, FONTS)
    after_import("matplotlib", lambda _: _give_fonts(order["fonts"]))
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["tempdir"] = None  # a zygote may have asked where that is
    sys.path.extend(path for path in order["path"] if path not in sys.path)
    memory = order["memory_bytes"]
    limits.limit(memory and memory + CONTEXT_GROWS * order["own_bytes"])
    if not order["guard"]:
        return {"isolation": "worker", "holes": []}
    holes = _lock(workdir, order["readable"])
    return {"isolation": "worker" if holes else "guarded", "holes": holes}


def _give_fonts(paths: list[str]) -> None:
    folder = os.environ["MPLCONFIGDIR"]
    os.makedirs(folder, exist_ok=True)
    copy_font_lists(paths, folder)


def _lock(workdir: str, readable: list[str]) -> list[str]:
    from rlm_kernel.repl.guard import guard  # a plain worker needs nothing of it

    try:
        guard.lock(workdir, readable)
    except OSError as error:
        return [f"the guard could not be put on: {error}"]
    return guard.holes(workdir)


__all__ = ["CONTEXT_GROWS", "FONTS", "settle"]
