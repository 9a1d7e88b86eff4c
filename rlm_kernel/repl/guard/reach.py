"""What guarded code may read: the installed packages and what they need of the system, and none of the user's files."""

from __future__ import annotations

import os
import sys

from rlm_kernel.errors import ConfigError
from rlm_kernel.repl.guard import cgroup as cgroups
from rlm_kernel.repl.guard import editable, sources

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""This package: workers import from it after they are locked."""

# Of a prefix, what holds programs' own files: what lies beside (etc/jupyter, share/jupyter) can hold keys.
_OF_PREFIX = (
    "lib",
    "lib64",
    "lib32",
    "pyvenv.cfg",
    "etc/fonts",
    "ssl",
    "share/ca-certificates",
    "share/fontconfig",
    "share/fonts",
    "share/gdal",
    "share/icu",
    "share/locale",
    "share/misc",
    "share/nltk_data",
    "share/proj",
    "share/zoneinfo",
)
_SYSTEM = (
    "/lib",
    "/lib64",
    "/lib32",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/matplotlibrc",
    "/etc/mime.types",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/gnu/store",
    "/nix/store",
    "/var/cache/fontconfig",
)
_SYSTEM_PREFIXES = ("/usr", "/usr/local")
_OF_HOME = (".fonts", ".local/share/fonts")


def readable(
    search_path: Iterable[str],
    *,
    cwd: str,
    home: str,
    extra: Iterable[str] = (),
    prefixes: Iterable[str] | None = None,
    cgroup: str | None = None,
) -> list[str]:
    """The files and folders that guarded code may read, none of them inside another; a folder with a slash at its end
    may only be listed.

    The interpreter, the system's libraries, fonts and certificates; every entry of the search path (where it is a
    project's folder, the modules in it) but the working directory, the home directory, its hidden folders and whatever
    these are in, for they hold the user's own files; and `extra`, whatever it is. Raises `ConfigError` for an `extra`
    that is not there. `prefixes` are this interpreter's and `cgroup` this process's (/proc/self/cgroup) unless they are
    given.
    """
    given = [_explicit(path, cwd=cwd, home=home) for path in extra]
    private = _Private(cwd, home)
    entries = [path for each in search_path if (path := _existing(each)) and path not in private]
    projects = [path for path in entries if os.path.isdir(path) and not sources.is_installation(path)]
    modules = [path for each in projects for path in sources.modules(each)]
    aside = [path for each in entries for path in (*editable.mapped(each), *_linked(each))]
    found = [
        *_programs(_own_prefixes() if prefixes is None else prefixes),
        *(os.path.join(home, name) for name in _OF_HOME),
        *cgroups.limit_files(cgroups.own() if cgroup is None else cgroup),
        *(path for path in entries if path not in projects),
        *(path for path in _real((*modules, *aside)) if path not in private),
        PACKAGE,
        *given,
    ]
    whole = _outermost(_real(path for path in found if os.path.exists(path)))
    return [*whole, *(f"{path}/" for path in sorted(set(projects)) if not _covered(path, whole))]


class _Private:
    """The folders that are not read because they are searched: those that hold the user's own files."""

    def __init__(self, cwd: str, home: str) -> None:
        self._home = os.path.realpath(home)
        self._holders = _upwards(os.path.realpath(cwd)) | _upwards(self._home)

    def __contains__(self, path: str) -> bool:
        # IPython searches ~/.ipython, where the history of all notebooks is.
        hidden = os.path.dirname(path) == self._home and os.path.basename(path).startswith(".")
        return hidden or path in self._holders


def _upwards(path: str) -> set[str]:
    """That folder and all that it is in."""
    found = {path}
    while (above := os.path.dirname(path)) != path:
        path = above
        found.add(path)
    return found


def _explicit(path: str, *, cwd: str, home: str) -> str:
    """What the user granted, in full. Raises `ConfigError` when it is not there."""
    full = home + path[1:] if path == "~" or path.startswith("~/") else os.path.join(cwd, path)
    if not os.path.exists(full):
        raise ConfigError(
            f"{path} was to be readable for the model's code, and it is not there ({full}): correct the path or leave it out",
            setting="readable",
        )
    return full


def _existing(entry: str) -> str:
    """The folder or the archive (an entry may go on inside one) that an entry of the search path means, or nothing."""
    path = os.path.realpath(entry)
    if os.path.exists(path):
        return path
    while (above := os.path.dirname(path)) != path:
        path = above
        if os.path.exists(path):
            return path if os.path.isfile(path) else ""
    return ""


def _linked(folder: str) -> list[str]:
    """Packages that are links to where an installer keeps them."""
    try:
        with os.scandir(folder) as inside:
            return [each.path for each in inside if each.is_symlink()]
    except OSError:
        return []  # an archive, or nobody's to read


def _own_prefixes() -> list[str]:
    return [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]


def _programs(prefixes: Iterable[str]) -> list[str]:
    """What interpreters and the system's own libraries are made of."""
    return [
        *_SYSTEM,
        *(os.path.join(prefix, name) for prefix in (*prefixes, *_SYSTEM_PREFIXES) for name in _OF_PREFIX),
    ]


def _real(paths: Iterable[str]) -> list[str]:
    """The paths without links in them. Hundreds are in the same few folders, which are looked at once."""
    folders: dict[str, str] = {}
    found = []
    for path in paths:
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            found.append(os.path.realpath(path))
            continue
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        whole = os.path.join(folders[folder], name)
        found.append(os.path.realpath(whole) if os.path.islink(whole) else whole)
    return found


def _outermost(paths: Iterable[str]) -> list[str]:
    """Those paths, sorted, without the ones inside others."""
    found: list[str] = []
    for path in sorted(set(paths), key=lambda path: path.split(os.sep)):
        if not found or not _inside(path, found[-1]):
            found.append(path)
    return found


def _covered(path: str, folders: list[str]) -> bool:
    return any(path == folder or _inside(path, folder) for folder in folders)


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


__all__ = ["PACKAGE", "readable"]
