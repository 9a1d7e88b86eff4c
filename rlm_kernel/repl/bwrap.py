"""`BwrapLauncher`: guarded workers in namespaces of their own, made by bubblewrap: no network, no foreign processes, and
a file system in which only what they may read exists."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

from rlm_kernel.repl.folders import clear, make_folder
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.process import ZygoteLauncher
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.zygote import Zygote, start_zygote

NAME = "bwrap"
_ALONE = ("--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev")
_LIBRARIES = (
    "/lib",
    "/lib32",
    "/lib64",
)  # on most systems links into /usr, by which programs name their loader
_TRY_SECONDS = 10


class BwrapLauncher(ZygoteLauncher):
    """Its first zygote runs in the namespaces, and so does whatever that forks. Each run has one of its own."""

    def __init__(self, terms: Terms, context: Packed | None = None) -> None:
        super().__init__(terms, context)
        self._place = make_folder()
        self._readable = terms.readable
        self._first: Zygote | None = None

    async def base(self) -> Zygote:
        """The run's zygote that knows no context."""
        if self._first is None or not self._first.alive:
            self._first = start_zygote(self._command(), knows_parent=False)
        return self._first

    async def close(self) -> None:
        """Ends the run's zygotes."""
        await super().close()
        if self._first is not None:
            self._first.close()
        clear(self._place)

    def _command(self) -> list[str]:
        program = shutil.which(NAME) or NAME
        real = os.path.realpath(sys.executable)
        whole = [path for path in self._readable if not path.endswith("/")]
        seen = [part for path in (*whole, real) for part in ("--ro-bind-try", path, path)]
        seen += ["--ro-bind", real, sys.executable]
        for link in filter(os.path.islink, _LIBRARIES):
            seen += ["--symlink", os.readlink(link), link]
        return [program, *_ALONE, *seen, "--bind", self._place, self._place, "--"]

    def _make_folder(self) -> str:
        return make_folder(self._place)


def offered() -> str:
    """Nothing where bubblewrap works on this system, else one sentence that says why not."""
    program = shutil.which(NAME)
    if program is None:
        return "bubblewrap is not installed (on Debian or Ubuntu: sudo apt-get install bubblewrap)"
    return _tried(program)


@cache
def _tried(program: str) -> str:
    try:
        tried = subprocess.run(
            [program, *_ALONE, "--ro-bind", "/", "/", "--", "true"],
            capture_output=True,
            text=True,
            timeout=_TRY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start here: {error}"
    return "" if tried.returncode == 0 else f"bubblewrap does not work here: {tried.stderr.strip()[:200]}"


__all__ = ["BwrapLauncher", "offered"]
