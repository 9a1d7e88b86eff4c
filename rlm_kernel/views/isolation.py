"""How well the model's code was kept apart from its owner, as a run says it of itself."""

from __future__ import annotations

from rlm_kernel.trace import Trace

UNPROTECTED = "isolation: inline – no protection: the model's code ran in this process"


def isolation_warning(trace: Trace) -> str:
    """What a person must know of where the code ran; empty where it was kept apart."""
    return UNPROTECTED if trace.started and trace.started.isolation == "inline" else ""


def isolation_line(trace: Trace) -> str:
    """`isolation: worker (why it is not more)`; empty before the run has started."""
    started = trace.started
    if started is None:
        return ""
    why = f" ({started.isolation_why})" if started.isolation_why else ""
    return f"isolation: {started.isolation}{why}"


__all__ = ["UNPROTECTED", "isolation_line", "isolation_warning"]
