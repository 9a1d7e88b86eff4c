"""`Repls`: the namespaces of one run's calls, all under the same terms. Runs on the engine's loop thread."""

from __future__ import annotations

import contextlib
import os

from rlm_kernel.errors import ReplError
from rlm_kernel.repl.base import Repl
from rlm_kernel.repl.bwrap import BwrapLauncher
from rlm_kernel.repl.inline import InlineLauncher, InlineRepl
from rlm_kernel.repl.launcher import Launcher
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.portable import PortableLauncher
from rlm_kernel.repl.process import ZygoteLauncher
from rlm_kernel.repl.remote import KERNEL, KernelLauncher
from rlm_kernel.repl.terms import Terms
from rlm_kernel.repl.worker import WorkerRepl
from rlm_kernel.repl.zygote import base_zygote


class Repls:
    """Makes them. `context` is the root's."""

    def __init__(self, terms: Terms, context: Packed | None = None, *, block_seconds: float) -> None:
        self._block_seconds = block_seconds
        self._launcher = _launcher(terms, context)

    def make(self, context: Packed | None, *, seed: int) -> Repl:
        """A namespace with that context, not open yet; `seed` is where chance starts from."""
        kind = InlineRepl if isinstance(self._launcher, InlineLauncher) else WorkerRepl
        return kind(self._launcher, context, block_seconds=self._block_seconds, seed=seed)

    async def close(self) -> None:
        """Frees what is kept for all of them; they are closed before."""
        await self._launcher.close()


def _launcher(terms: Terms, context: Packed | None) -> Launcher:
    if terms.isolation.startswith(KERNEL):
        return KernelLauncher(terms.isolation.removeprefix(KERNEL), terms=terms)
    if terms.isolation == "inline":
        return InlineLauncher()
    if terms.isolation == "bwrap":
        return BwrapLauncher(terms, context)
    return ZygoteLauncher(terms, context) if forks() else PortableLauncher(terms)


async def warm(terms: Terms) -> None:
    """Starts what the workers of such a run will be forked from, while its context is still being packed. What goes
    wrong is told by the first worker."""
    if terms.isolation in ("worker", "guarded") and forks():
        with contextlib.suppress(ReplError):
            await base_zygote()


def forks() -> bool:
    """Whether this system has what a zygote needs: descriptors of processes, which Linux has."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


__all__ = ["Repls", "forks", "warm"]
