"""The pieces of the static HTML. Every text that comes in is escaped here, and hides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from rlm_kernel.text import cut, visible
from rlm_kernel.views.outputs import Image, Table, size
from rlm_kernel.views.words import Piece, shortened_diff

# Beside the triangle of `<details>` a bullet says nothing. Where styles are stripped it comes back and does no harm.
LIST = '<ul style="list-style-type:none">'
MAX_COLUMNS = 10
MAX_CELL = 80


def details(summary: str, body: str, *, is_open: bool = False) -> str:
    """An item of a list that opens. Both parts are HTML already."""
    return f"<li><details{' open' if is_open else ''}><summary>{summary}</summary>{body}</details></li>"


def items(html: str) -> str:
    """The list of these items, or nothing without any."""
    return f"{LIST}{html}</ul>" if html else ""


def prose(text: str) -> str:
    """A text as paragraphs where it is only words, and as it was laid out where that says something."""
    # A front end may break the lines of a `<pre>` inside words, so it is for text whose layout says something.
    lines = visible(text).split("\n")
    if any(part.startswith((" ", "\t", "|", "```", "~~~")) for part in lines):
        return f"<pre>{escape(visible(text))}</pre>"
    return f"<p>{'<br>'.join(map(escape, lines))}</p>"


def inline(text: str, limit: int) -> str:
    """A text inside a line, cut in its middle when it is longer than `limit`."""
    return escape(visible(cut(text, limit)))


def changed(pieces: list[Piece], limit: int) -> str:
    """Two texts in one, of about `limit` characters: what is gone struck through, what has come underlined."""
    tags = {"same": ("", ""), "old": ("<del>", "</del>"), "new": ("<ins>", "</ins>")}
    shown = shortened_diff(pieces, limit)
    return f"<pre>{''.join(escape(visible(piece.text)).join(tags[piece.kind]) for piece in shown)}</pre>"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts; the first of each row says what it is of."""
    cells = "".join(f"<th>{escape(visible(name))}</th>" for name in head)
    body = "".join(
        f"<tr><th>{inline(row[0], 200)}</th>{''.join(f'<td>{inline(cell, 600)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def image(picture: Image) -> str:
    """The image itself, in the page. It has been checked to be one, in base64."""
    return f'<div><img alt="figure, {size(picture)}" src="data:{picture.mime};base64,{picture.text}"></div>'


def table(shown: Table, max_rows: int) -> str:
    """The first rows and columns, and a line that says of how many when there are more."""
    rows, columns = shown.rows[:max_rows], shown.columns[:MAX_COLUMNS]
    corner = "" if shown.index is None else "<th></th>"
    head = f"<tr>{corner}{''.join(f'<th>{_cell(name)}</th>' for name in columns)}</tr>"
    body = "".join(_row(shown, at) for at in range(len(rows)))
    parts = [_of(len(rows), shown.total_rows, "rows"), _of(len(columns), shown.total_columns, "columns")]
    left_out = ", ".join(part for part in parts if part)
    grid = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>" if rows and columns else ""
    return grid + (f"<div>{left_out}</div>" if left_out else "")


def _row(shown: Table, at: int) -> str:
    label = "" if shown.index is None else f"<th>{_cell(shown.index[at])}</th>"
    return f"<tr>{label}{''.join(f'<td>{_cell(text)}</td>' for text in shown.rows[at][:MAX_COLUMNS])}</tr>"


def _cell(text: str) -> str:
    return escape(visible(text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"))


def _of(shown: int, total: int, noun: str) -> str:
    return f"{shown:,} of {total:,} {noun}" if shown < total else ""


__all__ = [
    "LIST",
    "MAX_CELL",
    "MAX_COLUMNS",
    "changed",
    "details",
    "image",
    "inline",
    "items",
    "prose",
    "table",
]
