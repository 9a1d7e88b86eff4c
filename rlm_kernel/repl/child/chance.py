"""Chance that comes out the same when a run is done again: the usual generators start from the run's own seed.

What asks the operating system for randomness (`secrets`, `uuid4`, `numpy.random.default_rng()`) still differs.
"""

from __future__ import annotations

from rlm_kernel.repl.child.imported import after_import


def seed(number: int) -> None:
    """Seeds `random` and the global generator of numpy when the model's code imports them."""
    after_import("random", lambda module: module.seed(number))
    after_import("numpy.random", lambda module: module.seed(number % 2**32))


__all__ = ["seed"]
