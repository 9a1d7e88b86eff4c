"""Whether a process that has loaded a value may be forked: not when a library keeps threads in it, as a fork has one."""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable

KEEP_THREADS = frozenset(
    [
        "catboost",
        "cudf",
        "cupy",
        "dask",
        "distributed",
        "duckdb",
        "grpc",
        "jax",
        "jaxlib",
        "lightgbm",
        "numba",
        "polars",
        "pyspark",
        "ray",
        "rmm",
        "tensorflow",
        "torch",
        "vaex",
        "xgboost",
        "zmq",
    ]
)


def forkable(modules: Iterable[str]) -> bool:
    """Whether it may, as far as the names of the modules that the value is made of tell."""
    return KEEP_THREADS.isdisjoint(name.partition(".")[0] for name in modules)


__all__ = ["KEEP_THREADS", "forkable"]
