"""What cannot move to another process, why not, and what to pass instead."""

from __future__ import annotations

from rlm_kernel.errors import ContextError
from rlm_kernel.repl.describe import type_name

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

_CONNECTION = "it is an open connection", "what it gives: rows as a list of dicts, or a DataFrame"
_USED_UP = "it is used up as it is read", "list(…) of it"
_THREADS = "it belongs to the threads of this process", ""
_GPU = "what it holds is in a GPU's memory", "a copy in the machine's own: `.cpu()`, or a NumPy array"

# By the full name of the type, or of one that it is made from; named rather than imported, as a worker starts without
# them.
_REFUSED = {
    "builtins.generator": _USED_UP,
    "builtins.async_generator": _USED_UP,
    "builtins.coroutine": ("it can be awaited once, and here", "what it gives"),
    "builtins.memoryview": ("it is a window on another object's memory", "bytes(…) of it"),
    "builtins.frame": ("it is a running function", ""),
    "builtins.traceback": ("it holds running functions", "its text, by traceback.format_exception"),
    "_io._IOBase": ("it is an open file", "its text, or its bytes: `.read()`"),
    "_socket.socket": _CONNECTION,
    "_thread.lock": _THREADS,
    "_thread.RLock": _THREADS,
    "_thread._local": _THREADS,
    "threading.Thread": _THREADS,
    "asyncio.futures.Future": _THREADS,
    "_asyncio.Future": _THREADS,
    "concurrent.futures._base.Executor": _THREADS,
    "mmap.mmap": ("it is a file in memory", "its bytes: `[:]`"),
    "subprocess.Popen": ("it is a running process", "its output"),
    "cupy.ndarray": _GPU,
    "_cupy.core.ndarray": _GPU,
}
# Files that are in memory, and nowhere else.
_MOVE_ALL_THE_SAME = frozenset(("_io.StringIO", "_io.BytesIO"))
_DATABASES = frozenset(
    [
        "MySQLdb",
        "_duckdb",
        "_sqlite3",
        "clickhouse_connect",
        "duckdb",
        "oracledb",
        "psycopg",
        "psycopg2",
        "pymongo",
        "pymysql",
        "pyodbc",
        "redis",
        "snowflake",
        "sqlalchemy",
        "sqlite3",
    ]
)
_HANDLES = ("connection", "cursor", "engine", "session", "client", "redis")
_ON_DEVICES = frozenset(("torch",))
_CHOICES = (
    "or --isolation inline, where the code gets the object itself and nothing is protected from the code: "
    "this notebook, its variables and its keys are within its reach"
)


class Refused(Exception):
    """A part of a value that cannot go, and the reason with what would go instead."""

    def __init__(self, value: Any, why: str, instead: str) -> None:
        super().__init__(why)
        self.type_name = type_name(value)
        self.instead = instead


def check(value: Any) -> None:
    """Raises `Refused` for what must not go, though it might let itself be pickled."""
    kind = type(value)
    for base in kind.__mro__:
        name = f"{base.__module__}.{base.__qualname__}"
        if name in _MOVE_ALL_THE_SAME:
            return
        if name in _REFUSED:
            raise Refused(value, *_REFUSED[name])
    top = kind.__module__.partition(".")[0]
    if top in _DATABASES and any(handle in kind.__name__.lower() for handle in _HANDLES):
        raise Refused(value, *_CONNECTION)
    if top in _ON_DEVICES and getattr(getattr(value, "device", None), "type", "cpu") != "cpu":
        raise Refused(value, *_GPU)


def differs(kind: type) -> bool:
    """Whether one value of that type may go and another not."""
    return kind.__module__.partition(".")[0] in _ON_DEVICES


def refusal(value: Any, error: BaseException) -> ContextError:
    """The error for a value that cannot go, for that reason."""
    name = type_name(value)
    instead = "text, a list or dict of texts, a DataFrame, an array"
    if isinstance(error, Refused):
        inside = "" if error.type_name == name else f"there is a {error.type_name} in it, and "
        why, instead = f"{inside}{error}", error.instead or instead
    elif isinstance(error, RecursionError):
        why = "it is nested too deep, or never ends"
    elif isinstance(error, MemoryError):
        why = "there is not enough memory to pack it"
    else:
        why = f"{type(error).__name__}: {_said(error)}"
    return ContextError(
        f"a {name} cannot be copied into the child namespace: {why}. "
        f"Pass what it holds instead ({instead}), {_CHOICES}.",
        type_name=name,
    )


def _said(error: BaseException) -> str:
    try:
        return str(error).rstrip(".")[:300]
    except Exception:  # noqa: BLE001 - the error is as strange as the value
        return "it does not say why"


__all__ = ["Refused", "check", "differs", "refusal"]
