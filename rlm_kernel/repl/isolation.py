"""How well model code is kept apart from its owner: what is asked for, and what this system gives.

    inline          in the user's own process, over live objects: no protection, by choice only
    worker          a process of its own over a copy: stops accidents, not hostile code
    guarded         … which locks itself: no files but its own, no network, no processes (landlock and seccomp)
    bwrap           … in namespaces of its own as well, where bubblewrap is installed
    kernel:<spec>   in a kernel that jupyter_client starts, as safe as the machine that is on

What each of them stops, and what it does not, is in SECURITY.md.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from rlm_kernel.errors import ConfigError
from rlm_kernel.repl import bwrap, remote
from rlm_kernel.repl.guard import caches, guard, reach
from rlm_kernel.repl.terms import Terms, memory_for, search_path

CHOICES = ("auto", "strict", "worker", "bwrap", "inline")
KERNEL = remote.KERNEL
POLICY_FILE = "rlm_kernel.json"
SAFE = ("guarded", "bwrap")
"""The levels that `strict` accepts."""
STRICTER = ("strict", "bwrap")
"""What can be asked for that is never less than what everybody gets."""


def obtain(asked: str, *, memory_mb: int | None = None, readable: tuple[str, ...] = ()) -> Terms:
    """What workers are started under on this system, for who asks for that isolation. Raises `ConfigError` where it is
    less than was asked, or than the administrator allows, and for something readable that is not there."""
    level, why = _obtained(asked)
    if level.startswith(KERNEL):  # what that machine has, and where, is known there
        return Terms(isolation=level, memory_bytes=memory_mb and memory_mb * 2**20, readable=readable)
    path = search_path()
    guarded = level in SAFE
    cwd, home = os.getcwd(), os.path.expanduser("~")
    fonts = tuple(caches.font_lists(os.environ, home))
    return Terms(
        isolation=level,
        why=why,
        guard=guarded,
        memory_bytes=memory_for(memory_mb),
        readable=(*reach.readable(path, cwd=cwd, home=home, extra=readable), *fonts) if guarded else (),
        path=path,
        fonts=fonts,
    )


def _obtained(asked: str) -> tuple[str, str]:
    """The level, and why it is not a higher one."""
    policy = _policy()
    if policy is not None:
        asked = _allowed(asked, policy)
    if asked.startswith(KERNEL) and asked != KERNEL:
        remote.check(asked.removeprefix(KERNEL))
        return asked, ""
    if asked not in CHOICES:
        choices = f"{', '.join(CHOICES)} or kernel:NAME"
        raise ConfigError(f"there is no isolation {asked!r}: choose {choices}", setting="isolation")
    if asked in ("inline", "worker"):
        return asked, "it was asked for"
    why = guard.offered() or (bwrap.offered() if asked == "bwrap" else "")
    if not why:
        return ("bwrap" if asked == "bwrap" else "guarded"), ""
    if asked == "auto":
        return "worker", why
    raise ConfigError(
        f"this system does not give what --isolation {asked} needs: {why}. "
        "--isolation auto takes what there is, and says so.",
        setting="isolation",
    )


def _allowed(asked: str, policy: Path) -> str:
    """What becomes of a wish where only `strict` is allowed."""
    if asked in ("auto", "strict"):
        return "strict"
    if asked == "bwrap":
        return asked
    raise ConfigError(
        f"the administrator of this system allows no isolation {asked!r} ({policy}): leave --isolation out",
        setting="isolation",
    )


def _policy() -> Path | None:
    """The file in which an administrator forces `strict`, if there is one. Raises `ConfigError` for one that says
    something else: what is forced must not depend on a typing error."""
    for folder in config_folders():
        path = folder / POLICY_FILE
        try:
            data: Any = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError(f"the policy in {path} cannot be read: {error}", setting="isolation") from None
        if data == {"isolation": "strict"}:
            return path
        raise ConfigError(
            f'the policy in {path} makes no sense: it can be {{"isolation": "strict"}}', setting="isolation"
        )
    return None


def config_folders() -> list[Path]:
    """Where Jupyter keeps the configuration that users do not write: of the environment, and of the system."""
    if sys.platform == "win32":
        system = [Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "jupyter")]
    else:
        system = [Path("/usr/local/etc/jupyter"), Path("/etc/jupyter")]
    return [Path(sys.prefix, "etc", "jupyter"), *system]


__all__ = ["CHOICES", "KERNEL", "SAFE", "STRICTER", "config_folders", "obtain"]
