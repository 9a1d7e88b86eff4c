"""How hard fuzzing tries: seconds in CI; `RLM_FUZZ=20000` in `make soak`, hours where somebody wants them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("RLM_FUZZ", "150"))
SECONDS = 5.0
"""What one input may take, on a machine that has other things to do as well."""

effort = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[None]:
    """What is done in it takes no longer."""
    started = time.process_time()
    yield
    took = time.process_time() - started
    assert took < seconds, f"took {took:.1f} s"


__all__ = ["EXAMPLES", "effort", "in_time"]
