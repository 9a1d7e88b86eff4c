"""Rich outputs between worker and engine: what may pass, how much of it, and the check that nothing else does.

A table passes as data and a figure as an image in base64. Markup of any kind does not: it would be the model's.
"""

from __future__ import annotations

import binascii
import json

from rlm_kernel.text import cut

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

TABLE = "application/vnd.rlm.table+json"
"""`{"columns": […], "rows": [[…], …], "total_rows": N, "total_columns": N, "index": […] or null}`, every cell a text."""
MAX_ROWS = 100
MAX_COLUMNS = 30
MAX_CELL = 200

PNG, JPEG = "image/png", "image/jpeg"
_SIGNATURES = {PNG: b"\x89PNG\r\n\x1a\n", JPEG: b"\xff\xd8\xff"}

MAX_OUTPUTS = 8
MAX_CHARS = 1_000_000
MAX_BLOCK_CHARS = 4_000_000


def checked(outputs: Any) -> tuple[list[dict[str, str]], list[str]]:
    """The outputs of a block that may be kept, and notes on those that may not. `outputs` may be anything."""
    if not isinstance(outputs, list):
        return [], [f"The rich outputs are not a list but a {type(outputs).__name__}; none was kept."]
    kept: list[dict[str, str]] = []
    notes = []
    left = MAX_BLOCK_CHARS
    for output in outputs[:MAX_OUTPUTS]:
        try:
            mime, text = _checked(output, min(left, MAX_CHARS))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            notes.append(f"A rich output was not kept: {cut(str(error), 200)}.")
        else:
            kept.append({mime: text})
            left -= len(text)
    if len(outputs) > MAX_OUTPUTS:
        notes.append(f"{len(outputs) - MAX_OUTPUTS:,} rich outputs over {MAX_OUTPUTS} were not kept.")
    return kept, notes


def _checked(output: Any, limit: int) -> tuple[str, str]:
    if not isinstance(output, dict) or len(output) != 1:
        raise ValueError("it is not one MIME type with its data")
    ((mime, text),) = output.items()
    if not isinstance(text, str) or len(text) > limit:
        raise ValueError(f"its data is not a text of at most {limit:,} characters")
    if mime == TABLE:
        return mime, _table(text)
    if mime not in _SIGNATURES:
        raise ValueError(f"{mime!r} is neither a table nor a PNG or JPEG image")
    if not binascii.a2b_base64(text, strict_mode=True).startswith(_SIGNATURES[mime]):
        raise ValueError(f"its data is no {mime}")
    return mime, text


def _table(text: str) -> str:
    table = json.loads(text)
    columns, rows, index = table["columns"], table["rows"], table["index"]
    sound = (
        _texts(columns, MAX_COLUMNS)
        and isinstance(rows, list)
        and len(rows) <= MAX_ROWS
        and all(_texts(row, MAX_COLUMNS) and len(row) == len(columns) for row in rows)
        and (index is None or (_texts(index, MAX_ROWS) and len(index) == len(rows)))
        and _count(table["total_rows"], len(rows))
        and _count(table["total_columns"], len(columns))
    )
    if not sound:
        raise ValueError("it is not a table of texts within the limits")
    return table_json(columns, rows, index, table["total_rows"], table["total_columns"])


def table_json(
    columns: list[str], rows: list[list[str]], index: list[str] | None, total_rows: int, total_columns: int
) -> str:
    """A table as the text that passes."""
    table = {
        "columns": columns,
        "rows": rows,
        "total_rows": total_rows,
        "total_columns": total_columns,
        "index": index,
    }
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))


def _texts(items: Any, most: int) -> bool:
    return (
        isinstance(items, list)
        and len(items) <= most
        and all(isinstance(item, str) and len(item) <= MAX_CELL for item in items)
    )


def _count(number: Any, shown: int) -> bool:
    return type(number) is int and shown <= number < 2**53


__all__ = [
    "JPEG",
    "MAX_BLOCK_CHARS",
    "MAX_CELL",
    "MAX_CHARS",
    "MAX_COLUMNS",
    "MAX_OUTPUTS",
    "MAX_ROWS",
    "PNG",
    "TABLE",
    "checked",
    "table_json",
]
