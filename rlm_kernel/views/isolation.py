"""How well the model's code was kept apart from its owner, as a run says it of itself."""

from __future__ import annotations

from rlm_kernel.trace import Trace

UNPROTECTED = "isolation: inline – no protection: the model's code ran in this process"


def isolation_warning(trace: Trace) -> str:
    """What a person must know of where the code ran; empty where it was kept apart."""
    return UNPROTECTED if trace.started and trace.started.isolation == "inline" else ""


def isolation_level(trace: Trace) -> str:
    """`isolation: worker`; empty before the run has started."""
    return f"isolation: {trace.started.isolation}" if trace.started else ""


def isolation_line(trace: Trace) -> str:
    """`isolation: worker (why it is not more)`; empty before the run has started."""
    why = trace.started.isolation_why if trace.started else ""
    return isolation_level(trace) + (f" ({why})" if why else "")


__all__ = ["UNPROTECTED", "isolation_level", "isolation_line", "isolation_warning"]
