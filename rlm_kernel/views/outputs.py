"""The rich outputs of a block as a view may show them: a table of texts, an image that is one, or only what it was.

A trace may come from a stranger, so an output is checked here as it was when the block ran.
"""

from __future__ import annotations

import binascii
import json
from dataclasses import dataclass

from rlm_kernel.repl.rich import MAX_OUTPUTS, PNG, TABLE, checked
from rlm_kernel.trace import Block, RichOutput, Turn
from rlm_kernel.views.summary import count, line

# A picture far larger than its file takes the memory of the page that draws it.
_MOST_PIXELS = 64_000_000
_HEAD = 32  # characters of base64 that hold the width and height of a PNG


@dataclass(frozen=True, kw_only=True)
class Table:
    """The first rows and columns of a table, every cell a text."""

    columns: list[str]
    rows: list[list[str]]
    index: list[str] | None
    total_rows: int
    total_columns: int


@dataclass(frozen=True, kw_only=True)
class Image:
    """A PNG or JPEG image; `text` is its base64."""

    mime: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Unshown:
    """An output that is not shown, whatever it holds."""

    mime: str
    chars: int


Output = Table | Image | Unshown


def outputs_of(block: Block) -> tuple[list[Output], int]:
    """The outputs of a block that a view shows, and how many more the block has."""
    found = block.executed.outputs if block.executed else ()
    return [read_output(output) for output in found[:MAX_OUTPUTS]], max(0, len(found) - MAX_OUTPUTS)


def read_output(output: RichOutput) -> Output:
    """The output in the first of its types that is sound."""
    for mime, text in output.data.items():
        for sound in checked([{mime: text}])[0]:
            if mime == TABLE:
                return Table(**json.loads(sound[mime]))
            if mime != PNG or _pixels(text) <= _MOST_PIXELS:
                return Image(mime=mime, text=text)
    mime, text = next(iter(output.data.items()), ("", ""))
    return Unshown(mime=mime, chars=len(text))


def output_line(output: Output) -> str:
    """The output in a few words: `table, 12,345 × 4`, `figure (png, 34 KB)`."""
    match output:
        case Table():
            return f"table, {output.total_rows:,} × {output.total_columns:,}"
        case Image():
            return f"figure ({output.mime.partition('/')[2]}, {size(output)})"
        case Unshown():
            return f"output ({line(output.mime, 60) or 'of no type'}, {size(output)})"


def printed(turn: Turn) -> str:
    """What the last block of a turn gave, in a line: its error, else what it showed, else what it printed."""
    done = turn.blocks[-1].executed if turn.blocks else None
    if done is None:
        return ""
    if done.error:
        return f"✗ {line(str(done.error), 60)}"
    # What is shown is printed too, and says less there.
    told = ", ".join(map(output_line, outputs_of(turn.blocks[-1])[0][:2])) or line(done.stdout, 60)
    return f"→ {told}" if told else ""


def size(output: Image | Unshown) -> str:
    """How much data there is: `34 KB`."""
    length = len(output.text) * 3 // 4 if isinstance(output, Image) else output.chars
    return f"{length / 1024:,.0f} KB" if length >= 1024 else count(length, "byte")


def _pixels(png: str) -> int:
    # They stand at a fixed place behind the signature; a file that ends before it is no picture.
    head = binascii.a2b_base64(png[:_HEAD])
    if len(head) < 24:
        return _MOST_PIXELS + 1
    return int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")


__all__ = [
    "Image",
    "Output",
    "Table",
    "Unshown",
    "output_line",
    "outputs_of",
    "printed",
    "read_output",
    "size",
]
