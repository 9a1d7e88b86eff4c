"""The package's version, as installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("rlm-kernel")
    except PackageNotFoundError:
        return "0+source"


__version__ = _installed()

__all__ = ["__version__"]
