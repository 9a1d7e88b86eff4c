"""`Terms`: what the workers of a run are started under, and the order that tells a worker so."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlm_kernel.repl.pack import Packed

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
LEAST_MEMORY = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class Terms:
    """`isolation` is the level that each worker has to prove, `why` why it is not a higher one. With `guard` a worker
    locks itself, and can read what is `readable` and its own. `memory_bytes` is what it may have beside its context;
    None without a limit. `path` is where its imports are looked for, `fonts` are the lists
    of fonts that matplotlib need not make again."""

    isolation: str = "worker"
    why: str = ""
    guard: bool = False
    memory_bytes: int | None = None
    readable: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()

    def order(self, workdir: str, context: Packed | None, *, seed: int) -> dict[str, Any]:
        """What a new worker is told first."""
        return {
            "op": "open",
            "workdir": workdir,
            "path": list(self.path),
            "guard": self.guard,
            "readable": list(self.readable),
            "fonts": list(self.fonts),
            "memory_bytes": self.memory_bytes,
            "seed": seed,
            "route": context.route if context else "none",
            "size": context.size if context else 0,
            "own_bytes": context.size if context else 0,
        }


def search_path() -> tuple[str, ...]:
    """Where this process looks for modules, as absolute paths."""
    return tuple(os.path.abspath(path) for path in sys.path)


def memory_for(asked_mb: int | None) -> int | None:
    """The bytes that a worker may have: as asked, else half of what this machine, or its cgroup, has; None where
    nothing is known of it."""
    if asked_mb is not None:
        return asked_mb * 2**20
    known = [size for size in (_physical(), *map(_cgroup, CGROUP_LIMITS)) if size]
    return max(min(known) // 2, LEAST_MEMORY) if known else None


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0  # not on this system


def _cgroup(path: str) -> int:
    try:
        text = Path(path).read_text("ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


__all__ = ["Terms", "memory_for", "search_path"]
