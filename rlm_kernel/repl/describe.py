"""What can be said of a value without showing it: type, sizes, how it is built, a short preview.

Engine and worker both use this. Nothing here may fail on a strange object: a `__repr__` that raises gives
`<unprintable>`.
"""

from __future__ import annotations

import reprlib

from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

PREVIEW_CHARS = 600


class _Short(reprlib.Repr):
    """Looks at the beginning of what is long, and at no more."""

    def repr_bytes(self, value: Any, level: int) -> str:
        return repr(value[:PREVIEW_CHARS])

    repr_bytearray = repr_bytes


_short = _Short()
_short.maxstring = _short.maxother = 80
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 4


def describe(value: Any, name: str = "context") -> dict[str, Any]:
    """The fields of a `ContextCard`, without the hash."""
    return {
        "name": name,
        "type": type_name(value),
        "length": length_of(value),
        "chars": chars_in(value),
        "schema": schema(value),
        "preview": preview(value),
    }


def type_name(value: Any) -> str:
    """The type as a reader knows it: `str`, `pandas.DataFrame`."""
    kind = type(value)
    module = kind.__module__.split(".")[0]
    return kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"


def length_of(value: Any) -> int | None:
    """`len(value)`, or None where it has none."""
    try:
        return len(value)
    except Exception:  # noqa: BLE001 - any object may come here, and any of its methods may raise anything
        return None


def chars_in(value: Any) -> int | None:
    """Characters of text in a text, or in a flat container of texts; None where that is no answer."""
    if isinstance(value, str):
        return len(value)
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return None
    texts = chars = 0
    for item in items:
        if isinstance(item, str):
            texts += 1
            chars += len(item)
    return chars if texts else None


def schema(value: Any) -> str:
    """How the value is built, in a line: `dict of 812 str -> str, 3 to 204,118 characters each`."""
    if isinstance(value, dict):
        kinds = f"{_kinds(value.keys())} -> {_kinds(value.values())}"
        return f"dict of {len(value):,} {kinds}{_spread(value.values())}"
    if isinstance(value, list | tuple | set | frozenset):
        return (
            f"{type(value).__name__} of {len(value):,} {_kinds(value)}{_spread(value)}{_record_keys(value)}"
        )
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        columns = _columns(value)
        return f"shape {shape}" + (f", columns: {columns}" if columns else "")
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    return _of_no_container(value)


def preview(value: Any, limit: int = PREVIEW_CHARS) -> str:
    """A short look at the value: head and tail of a text, the first items of a container."""
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, dict):
        items = [f"{brief(key)}: {brief(item)}" for key, item in _first(value.items(), 4)]
        return cut("{" + ", ".join(items) + (", …}" if len(value) > len(items) else "}"), limit)
    if isinstance(value, list | tuple) and len(value) > 5:
        ends = [brief(item) for item in value[:3]], [brief(item) for item in value[-2:]]
        return cut(f"[{', '.join(ends[0])}, … {len(value) - 5:,} more …, {', '.join(ends[1])}]", limit)
    if isinstance(value, set | frozenset):
        items = [brief(item) for item in _first(value, 4)]
        return (
            cut("{" + ", ".join(items) + (", …}" if len(value) > len(items) else "}"), limit)
            if items
            else brief(value)
        )
    if type_name(value).startswith("pyarrow.") and type(value).__name__.endswith("Array"):
        return cut(str(value[:3]), limit)  # its repr begins with where it lies
    return brief(_head(value), limit)


def brief(value: Any, limit: int = 80) -> str:
    """A short `repr`, safe on any object."""
    try:
        plain = isinstance(value, str | bytes | bytearray | list | tuple | dict | set | frozenset)
        return cut(_short.repr(value) if plain else repr(value), limit)
    except Exception:  # noqa: BLE001 - a repr is anybody's code
        return f"<unprintable {type(value).__name__}>"


def _kinds(items: Any) -> str:
    names = {type_name(item) for item in items}
    return " | ".join(sorted(names)[:4]) + (" | …" if len(names) > 4 else "") if names else "nothing"


def _spread(items: Any) -> str:
    least, most = None, 0
    for item in items:
        if isinstance(item, str):
            size = len(item)
            least, most = size if least is None else min(least, size), max(most, size)
    if least is None:
        return ""
    span = f"{least:,} to {most:,}" if least < most else f"{most:,}"
    return f", {span} character{'' if most == 1 else 's'} each"


def _record_keys(items: Any) -> str:
    first = next(iter(items), None)
    if not isinstance(first, dict) or not first:
        return ""
    return cut(f", the first with keys {', '.join(brief(key, 40) for key in _first(first, 20))}", 400)


def _of_no_container(value: Any) -> str:
    kind = type_name(value)
    if kind.startswith("pathlib."):
        return "the name of a file or folder; what is in it does not come along"
    if kind.startswith("pyarrow.") and hasattr(value, "null_count"):
        return f"{length_of(value):,} of {value.type}, {value.null_count:,} null"
    return ""


def _head(value: Any) -> Any:
    """The first rows of a table, the value itself when it is none."""
    if not isinstance(getattr(value, "shape", None), tuple) or not hasattr(value, "columns"):
        return value
    for name, arguments in (("head", (3,)), ("slice", (0, 3))):
        method = getattr(value, name, None)
        if callable(method):
            try:
                return method(*arguments)
            except Exception:  # noqa: BLE001 - it may mean something else by that name
                return value
    return value


def _columns(value: Any) -> str:
    names, dtypes = getattr(value, "columns", None), getattr(value, "dtypes", None)
    if type_name(value).startswith("pyarrow.") and hasattr(value, "schema"):
        names, dtypes = value.schema.names, value.schema.types
    if names is None or dtypes is None:
        return f"dtype {value.dtype}" if hasattr(value, "dtype") else ""
    return cut(", ".join(f"{name} ({dtype})" for name, dtype in zip(names, dtypes, strict=False)), 400)


def _first(items: Any, count: int) -> list[Any]:
    return [item for item, _ in zip(items, range(count), strict=False)]


__all__ = ["brief", "chars_in", "describe", "length_of", "preview", "schema", "type_name"]
