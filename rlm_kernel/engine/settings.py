"""Every option of a run in one frozen value. Children get it by `dataclasses.replace`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rlm_kernel.errors import ConfigError
from rlm_kernel.repl.isolation import obtain
from rlm_kernel.repl.terms import Terms


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of a run. Limits belong to the whole tree; None means without that limit."""

    max_turns: int = 20
    """Turns of one rlm call."""
    max_calls: int | None = 500
    """Sub-calls of the whole run, at any depth."""
    max_depth: int = 2
    """The deepest sub-call. 0: no sub-calls. 1: plain requests only. 2: children with a REPL, which make plain
    requests; and so on. An `rlm_query` at the limit becomes a plain request."""
    max_tokens: int | None = None
    """Input and output tokens of the whole run."""
    max_seconds: float | None = None
    """Seconds of the whole run."""
    max_errors: int = 5
    """Turns in a row, in one rlm call, whose code fails or that have no code."""
    concurrency: int = 64
    """Requests under way at the same time, in the whole run."""
    max_workers: int = 8
    """Children with a REPL at the same time, at each depth; each is a process."""
    block_seconds: float = 60.0
    """A block's own time, without its sub-calls."""
    request_seconds: float = 120.0
    """A request with all its retries."""
    pause_seconds: float = 120.0
    """How long the run waits for a server that is out, before it ends and can be resumed; 0: not at all."""
    output_chars: int = 20_000
    """Characters of a block's output that go back to the model."""
    temperature: float | None = None
    """Left to the server when None."""
    max_output_tokens: int | None = None
    """Tokens of one reply; left to the server when None."""
    seed: int | None = None
    """Where chance starts from in the model's code (`random`, numpy's global generator); drawn when None."""
    isolation: str = "auto"
    """How model code is kept apart from its owner: `auto` (guarded where the system can, else a plain worker, which the
    run says), `strict` (guarded or nothing), `worker`, `bwrap`, `inline` (in this process, without protection), or
    `kernel:NAME`."""
    memory_mb: int | None = None
    """Megabytes of a worker beside its context; half of what the machine has when None."""
    readable: tuple[str, ...] = ()
    """Files and folders that guarded code may read, beside what is installed."""
    step: bool = False
    """Hold each block for a person, who runs, changes or skips it."""
    cache: bool = False
    """Take replies of identical requests from earlier runs."""
    trace_dir: str | Path | None = ".rlm"
    """Where traces go; None keeps them in memory only."""

    def __post_init__(self) -> None:
        for name in (
            "max_turns",
            "max_errors",
            "concurrency",
            "max_workers",
            "block_seconds",
            "request_seconds",
        ):
            _at_least(self, name, 1e-9)
        for name in ("max_calls", "max_depth", "seed", "temperature", "pause_seconds"):
            _at_least(self, name, 0)
        _at_least(self, "memory_mb", 64)
        for name in ("max_tokens", "max_seconds", "max_output_tokens"):
            _at_least(self, name, 1e-9)
        _at_least(self, "output_chars", 200)
        object.__setattr__(self, "readable", _paths(self.readable))

    def recorded(self) -> dict[str, Any]:
        """The options as the trace keeps them: every one but the trace's own place."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        del options["trace_dir"]
        return {**options, "readable": list(self.readable)}


def terms_of(settings: Settings) -> Terms:
    """What the workers of a run with those settings are started under here. Raises `ConfigError`."""
    return obtain(settings.isolation, memory_mb=settings.memory_mb, readable=settings.readable)


def _paths(value: Any) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(path, str) for path in value):
        return tuple(value)
    raise ConfigError(f"readable takes a list of paths, not {value!r}: readable=['data']", setting="readable")


def _at_least(settings: Settings, name: str, least: float) -> None:
    value = getattr(settings, name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{name} takes a number, not {value!r}", setting=name)
    if not value >= least:
        wanted = f"at least {least:g}" if least >= 1 or least == 0 else "more than 0"
        raise ConfigError(f"{name} must be {wanted}, not {value!r}", setting=name)


__all__ = ["Settings", "terms_of"]
