"""What a run says of its pauses: that it waits for its server now, or that it did."""

from __future__ import annotations

from rlm_kernel.trace import RunPaused, Trace
from rlm_kernel.views.summary import count, line, seconds, ticking

PAUSED = "❚❚"
"""The sign of a run that waits for its server."""


def pause_line(trace: Trace, now: float | None = None) -> str:
    """How the run stands with its server; empty where nothing is to be said. `now` lets the time to the next try
    tick."""
    tree = trace.tree
    if tree.paused is not None:
        return (
            _waiting(tree.paused, now) if trace.live else f"{PAUSED} it ended in a pause: {_why(tree.paused)}"
        )
    if not tree.pauses:
        return ""
    took = seconds(sum(pause.seconds for pause in tree.pauses))
    return f"{PAUSED} {count(len(tree.pauses), 'pause')} while the server was out, {took} in all"


def _waiting(paused: RunPaused, now: float | None) -> str:
    again = f"trying again in {ticking(paused.retry_at - now)}" if now is not None else "trying again"
    if now is not None and now >= paused.retry_at:
        again = "trying now"
    tries = f", tried {count(paused.tries, 'time')} in vain" if paused.tries else ""
    return f"{PAUSED} paused: {_why(paused)} · {again}{tries}"


def _why(paused: RunPaused) -> str:
    return line(paused.error.message, 160).rstrip(". ")


__all__ = ["PAUSED", "pause_line"]
