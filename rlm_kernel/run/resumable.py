"""Whether a run can go on where it ended, and which limit has to be raised first."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from rlm_kernel.errors import ConfigError
from rlm_kernel.trace import Trace, Turn


def check_resumable(trace: Trace, limits: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for a run that has finished or is under way, and for one that would end again at once."""
    if trace.live:
        raise ConfigError("the run is still under way: stop it before it can be resumed", setting="run")
    if trace.status == "finished":
        raise ConfigError("the run has finished: fork it at a step to go another way", setting="run")
    if trace.status not in ("exhausted", "failed") or trace.root is None:
        return
    turns = [turn for turn in trace.root.turns if turn.reply and not turn.reply.error and not _is_last(turn)]
    in_vain = sum(1 for _ in takewhile(_is_in_vain, reversed(turns)))
    _check("max_turns", f"the run used its {len(turns)} turns", len(turns), trace, limits)
    _check("max_errors", f"the last {in_vain} turns brought no working code", in_vain, trace, limits)


def _check(name: str, what: str, used: int, trace: Trace, limits: Mapping[str, Any]) -> None:
    settings = trace.started.settings if trace.started else {}
    most = limits.get(name, settings.get(name))
    if isinstance(most, int) and used >= most:
        raise ConfigError(
            f"{what}: raise the limit to resume it, limits={{{name!r}: {2 * used}}}", setting=name
        )


def _is_last(turn: Turn) -> bool:
    return bool(turn.asks and turn.asks[-1].last)


def _is_in_vain(turn: Turn) -> bool:
    ran = [block.executed for block in turn.blocks if block.executed]
    return not ran or ran[-1].error is not None


__all__ = ["check_resumable"]
