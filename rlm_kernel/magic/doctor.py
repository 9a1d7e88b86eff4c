"""`%rlm doctor`: what is installed, what works, and what to do about the rest."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.magic.walls import walls
from rlm_kernel.models.openai import DEFAULT_BASE_URL, origin
from rlm_kernel.text import cut, visible
from rlm_kernel.version import __version__

if TYPE_CHECKING:
    from rlm_kernel.magic.magics import RlmMagics

_INSTALL = "pip install -U rlm-kernel where JupyterLab runs, then reload the page"
_REINSTALL = "pip install --force-reinstall rlm-kernel, then reload the page"
_PARTS = ("ipykernel", "ipython", "ipywidgets", "jupyterlab", "openai", "nbformat")


def examine(magics: RlmMagics) -> list[str]:
    """One line for each thing looked at, beginning with `ok` or `!!`."""
    checks: list[Callable[[RlmMagics], Iterator[str]]] = [
        _versions,
        _model,
        walls,
        _traces,
        _extension,
        _front_end,
    ]
    return [line for check in checks for line in check(magics)]


def _versions(magics: RlmMagics) -> Iterator[str]:
    yield f"ok  rlm_kernel {__version__}, Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    for name in _PARTS:
        try:
            yield f"ok  {name} {version(name)}"
        except PackageNotFoundError:
            yield f"!!  {name} is not installed here: pip install {name}"


def _model(magics: RlmMagics) -> Iterator[str]:
    key = "set" if os.environ.get("OPENAI_API_KEY") else "not set"
    server = origin(magics.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL)
    yield f"ok  OPENAI_API_KEY is {key}; the server is {server}"
    if magics.model:
        yield f"ok  the default model is {magics.model}"
    else:
        yield '!!  no default model: %config RlmMagics.model = "…", or --model in each cell (demo needs no key)'


def _traces(magics: RlmMagics) -> Iterator[str]:
    folder = Path(magics.trace_dir).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            yield f"ok  traces go to {folder}"
    except OSError as error:
        yield f"!!  traces cannot be written to {folder} ({error.strerror}): %config RlmMagics.trace_dir = '…'"


def _front_end(magics: RlmMagics) -> Iterator[str]:
    version = magics.control.front_end
    if version is None:
        yield f"!!  no front end with the extension is connected, so trees are static: {_INSTALL}"
    else:
        yield from _compared("the extension in your browser", version, _INSTALL)


def _extension(magics: RlmMagics) -> Iterator[str]:
    place = Path(sys.prefix, "share", "jupyter", "labextensions", "rlm-kernel", "package.json")
    try:
        version = str(json.loads(place.read_text("utf-8"))["version"])
    except FileNotFoundError:
        yield "!!  no JupyterLab extension beside this kernel; it belongs where JupyterLab runs: pip install rlm-kernel"
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"!!  the extension's files beside this kernel cannot be read ({error}): pip install --force-reinstall rlm-kernel"
    else:
        yield from _compared("the JupyterLab extension beside this kernel", version, _REINSTALL)


def _compared(what: str, version: str, cure: str) -> Iterator[str]:
    shown = visible(cut(version, 40)) or "of unknown version"
    if version == __version__ or not _is_release(__version__):
        yield f"ok  {what} is {shown}"
    else:
        yield f"!!  {what} is {shown}, this package is {__version__}; they must be the same: {cure}"


def _is_release(version: str) -> bool:
    # Run from its sources and not installed, the package has no version to compare.
    return not version.startswith("0+")


__all__ = ["examine"]
