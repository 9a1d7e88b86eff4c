"""`Peek`: what can be told of a trace file without reading all of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, get_args

from rlm_kernel.trace.values import Derived, Status

HEAD_BYTES = 256 * 1024
TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Peek:
    """A run that was made from another: its id, how and from which step of which run, and how it ended."""

    run_id: str
    kind: Derived
    parent: str
    at: str
    status: Status


def peek(path: Path) -> Peek | None:
    """The run in that file, if it was made from another; None for any other file, and for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return _peek(file)
    except OSError:
        return None


def _peek(file: BinaryIO) -> Peek | None:
    started = next((line for line in _lines(file.read(HEAD_BYTES)) if line.get("type") == "run_started"), {})
    origin, run_id = started.get("origin"), started.get("run_id")
    if not isinstance(origin, dict) or origin.get("kind") not in get_args(Derived):
        return None
    parent, at = origin.get("run"), origin.get("at", "")
    if not (isinstance(run_id, str) and isinstance(parent, str) and isinstance(at, str)):
        return None
    return Peek(run_id=run_id, kind=origin["kind"], parent=parent, at=at, status=_status(file))


def _status(file: BinaryIO) -> Status:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    last = _lines(file.read())[-1:] or [{}]
    ended = last[0].get("type") == "run_finished"
    statuses: tuple[Status, ...] = get_args(Status)
    return next((status for status in statuses if ended and last[0].get("status") == status), "cut off")


def _lines(data: bytes) -> list[dict[str, Any]]:
    """The lines in a piece of a file that are JSON objects: those at its edges may be torn."""
    found = []
    for line in data.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


__all__ = ["Peek", "peek"]
