"""What keeps model code from its owner in this notebook, tried and said in a few lines, for `%rlm doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ConfigError, RLMError
from rlm_kernel.repl import bwrap
from rlm_kernel.repl.guard import guard, landlock
from rlm_kernel.repl.isolation import KERNEL, SAFE, obtain
from rlm_kernel.repl.repls import Repls
from rlm_kernel.repl.terms import Terms

if TYPE_CHECKING:
    from rlm_kernel.magic.magics import RlmMagics

_START_SECONDS = 60
_STOPPED = {
    "inline": "Nothing is stopped: it can change your variables, and do all that you can.",
    "worker": "It cannot reach your variables; it can read your files and use the network, as you can.",
    "guarded": "It reads no file but what is installed or made readable; it cannot reach your variables, keys and processes, nor the "
    "network, and starts no programs.",
    "bwrap": "As guarded; and to it other files, processes and networks do not even exist.",
}
_ELSEWHERE = "It can do what it is allowed to where that kernel runs."


def walls(magics: RlmMagics) -> Iterator[str]:
    """One line for each thing looked at, beginning with `ok` or `!!`."""
    try:
        terms = obtain(magics.isolation, memory_mb=magics.memory_mb, readable=tuple(magics.readable))
    except ConfigError as error:
        yield f"!!  model code does not run here: {error}"
        return
    yield _level(terms, magics.isolation)
    yield f"    {_STOPPED.get(terms.isolation, _ELSEWHERE)}"
    yield _started(terms)
    if not guard.offered():
        yield f"ok  landlock version {landlock.version()} and seccomp guard what runs as strict"
    missing = bwrap.offered()
    yield f"    --isolation bwrap: {missing}" if missing else "ok  bubblewrap works here: --isolation bwrap"


def _level(terms: Terms, asked: str) -> str:
    level = terms.isolation
    if level == "inline":
        return "!!  model code runs in this process, without protection (isolation: inline, as was asked for)"
    if level.startswith(KERNEL):
        return f"ok  model code runs in kernels of their own (isolation: {level})"
    where = f"model code runs in a worker process of its own (isolation: {level}"
    if level in SAFE:
        return f"ok  {where}, which each worker proves before it runs anything)"
    if asked == "worker":
        return f"ok  {where}, as was asked for)"
    return f"!!  {where}) and not guarded: {terms.why}"


def _started(terms: Terms) -> str:
    try:
        first, second = submit(_try(terms)).result(_START_SECONDS)
    except (RLMError, TimeoutError) as error:
        return f"!!  no worker starts: {error}"
    return f"ok  a worker was ready in {first * 1000:.0f} ms, another one in {second * 1000:.0f} ms"


async def _try(terms: Terms) -> tuple[float, float]:
    """The seconds that two workers take to be ready, one after the other."""
    repls = Repls(terms, block_seconds=10)
    try:
        return await _opened(repls), await _opened(repls)
    finally:
        await repls.close()


async def _opened(repls: Repls) -> float:
    started = time.monotonic()
    repl = repls.make(None, seed=0)
    try:
        await repl.open()
        return time.monotonic() - started
    finally:
        await repl.close()


__all__ = ["walls"]
