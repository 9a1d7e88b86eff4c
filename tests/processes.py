"""What the system says of processes."""

from __future__ import annotations

import time
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether that process still runs."""
    try:
        return _facts(pid)[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within: float = 1.0) -> bool:
    """Whether that process is gone, at the latest after so many seconds."""
    deadline = time.monotonic() + within
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def parent_of(pid: int) -> int:
    """The process that started it."""
    return int(_facts(pid)[1])


def children_of(pid: int) -> set[int]:
    """The processes that its threads started and that are there, also those that nobody has waited for yet."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.update(map(int, (task / "children").read_text().split()))
        except OSError:
            continue  # the thread has ended
    return found


def descendants_of(pid: int) -> set[int]:
    """Its children, theirs, and so on."""
    found: set[int] = set()
    for child in children_of(pid):
        if alive(child):
            found |= {child} | descendants_of(child)
    return found


def _facts(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
