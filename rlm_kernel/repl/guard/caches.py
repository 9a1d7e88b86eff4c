"""What a worker is given so that it need not be made again: matplotlib's list of fonts, which takes a second."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIRST, _LAST = "fontlist-v", ".json"


def font_lists(environ: Mapping[str, str], home: str) -> list[str]:
    """The lists of fonts that matplotlib has made for this user, without importing it."""
    folder = _matplotlib_cache(environ, home)
    try:
        names = os.listdir(folder)
    except OSError:
        return []  # matplotlib has never been used here
    return sorted(
        os.path.join(folder, name) for name in names if name.startswith(_FIRST) and name.endswith(_LAST)
    )


def copy_font_lists(paths: Iterable[str], target: str) -> int:
    """Copies them to that folder, for a worker whose `MPLCONFIGDIR` it is, and says how many there were."""
    copied = 0
    for path in paths:
        try:
            _copy(path, os.path.join(target, os.path.basename(path)))
        except OSError:
            continue  # it is a saving of time, and matplotlib makes it anew
        copied += 1
    return copied


def _copy(source: str, target: str) -> None:
    """Copies to a file that is new: the code that the folder belongs to may have put a link to another one there."""
    with open(source, "rb") as read:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as write:
            write.write(read.read())


def _matplotlib_cache(environ: Mapping[str, str], home: str) -> str:
    if environ.get("MPLCONFIGDIR"):
        return environ["MPLCONFIGDIR"]
    if sys.platform.startswith(("linux", "freebsd")):
        return os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "matplotlib")
    return os.path.join(home, ".matplotlib")


__all__ = ["copy_font_lists", "font_lists"]
