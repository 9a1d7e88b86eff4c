"""What a block shows beside text: tables as data, figures and images in base64, for the person who reads the run.

The model gets printed text and nothing else, so whatever is shown here is printed too. Nothing is imported for
it: a table or figure is known by its class, which is there only when the block has loaded its library.
"""

from __future__ import annotations

import binascii
import io
import sys
import warnings

from rlm_kernel.repl.describe import brief
from rlm_kernel.repl.rich import (
    JPEG,
    MAX_BLOCK_CHARS,
    MAX_CELL,
    MAX_CHARS,
    MAX_COLUMNS,
    MAX_OUTPUTS,
    MAX_ROWS,
    PNG,
    TABLE,
    table_json,
)

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    Shapes = Iterator[tuple[str, str]]


class Gallery:
    """The rich outputs of one block after the other."""

    def __init__(self) -> None:
        # What `plt.show` says where there is no screen; the figure is kept when the block ends.
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
        self.renew()

    def renew(self) -> None:
        """Starts a new block's outputs."""
        self.outputs: list[dict[str, str]] = []
        self._notes: list[str] = []
        self._seen: list[Any] = []
        self._left = MAX_BLOCK_CHARS
        self._dropped = 0

    @property
    def notes(self) -> list[str]:
        """What could not be kept."""
        if not self._dropped:
            return self._notes
        dropped = (
            f"{self._dropped:,} of this block's figures and tables were not kept: at most {MAX_OUTPUTS} are, "
            f"{MAX_CHARS // 10**6} MB each, {MAX_BLOCK_CHARS // 10**6} MB together."
        )
        return [*self._notes, dropped]

    def display(self, *objects: Any, **options: Any) -> None:
        """Prints each object; a table, a figure or an image is also kept for the person who reads the run.

        The options of IPython's function of this name are taken, and change nothing.
        """
        for value in objects:
            print(repr(value))
            self.add(value)

    def add(self, value: Any) -> None:
        """Keeps the value when it is a table, a figure or an image."""
        try:
            shapes = self._shapes(value)
            if shapes is not None:
                self._seen.append(value)
                self._keep(shapes)
        except Exception as error:  # noqa: BLE001 - drawing runs other people's code, and a block must survive it
            self._notes.append(f"A {type(value).__name__} could not be shown: {brief(error, 200)}")

    def finish(self) -> None:
        """Keeps the figures that the block left open, and closes them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                figure = pyplot.figure(number)
                if not any(figure is seen for seen in self._seen):
                    self.add(figure)
            pyplot.close("all")
        except Exception as error:  # noqa: BLE001 - as above; the block may have replaced any part of the module
            self._notes.append(f"The open figures could not be shown: {brief(error, 200)}")

    def _shapes(self, value: Any) -> Shapes | None:
        return _shapes_of(value)

    def _keep(self, shapes: Shapes) -> None:
        if len(self.outputs) == MAX_OUTPUTS:
            self._dropped += 1
            return
        found = False
        for mime, text in shapes:
            found = True
            if len(text) <= min(self._left, MAX_CHARS):
                self.outputs.append({mime: text})
                self._left -= len(text)
                return
        self._dropped += int(found)


def _shapes_of(value: Any) -> Shapes | None:
    """The MIME types and data that a value can be shown as, the best first; None for one that is just text."""
    for base in type(value).__mro__:
        make = _MAKERS.get(f"{str(base.__module__).partition('.')[0]}.{base.__name__}")
        if make is not None:
            return make(value)
    methods = [(PNG, "_repr_png_"), (JPEG, "_repr_jpeg_")]
    known = [(mime, name) for mime, name in methods if hasattr(type(value), name)]
    return _images(value, known) if known else None


def _images(value: Any, methods: list[tuple[str, str]]) -> Shapes:
    for mime, name in methods:
        data = getattr(type(value), name)(value)
        if isinstance(data, bytes):
            yield mime, _base64(data)


def drawn(figure: Any) -> Shapes:
    """The picture of a figure."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    yield PNG, _base64(picture.getvalue())


def _figure(figure: Any) -> Shapes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is no news for the model
        pictures = list(drawn(figure))
    yield from pictures


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _pandas_frame(frame: Any) -> Shapes:
    part = frame.iloc[:MAX_ROWS, :MAX_COLUMNS]
    yield _table(part.columns, part.itertuples(index=False, name=None), part.index, frame.shape)


def _pandas_series(series: Any) -> Shapes:
    part = series.iloc[:MAX_ROWS]
    yield _table([_title(series.name)], ([item] for item in part), part.index, (len(series), 1))


def _polars_frame(frame: Any) -> Shapes:
    part = frame.head(MAX_ROWS).select(frame.columns[:MAX_COLUMNS])
    yield _table(part.columns, part.rows(), None, frame.shape)


def _polars_series(series: Any) -> Shapes:
    part = series.head(MAX_ROWS)
    yield _table([_title(series.name)], ([item] for item in part), None, (len(series), 1))


def _table(
    columns: Iterable[Any], rows: Iterable[Any], index: Iterable[Any] | None, shape: tuple[int, int]
) -> tuple[str, str]:
    names, cells = [_cell(name) for name in columns], [[_cell(item) for item in row] for row in rows]
    # Without columns pandas gives no rows, but an index.
    labels = None if index is None else [_cell(label) for label in index][: len(cells)]
    return TABLE, table_json(names, cells, labels, int(shape[0]), int(shape[1]))


def _title(name: Any) -> Any:
    return "" if name is None else name


def _cell(value: Any) -> str:
    if isinstance(value, bytes | list | tuple | dict | set | frozenset):
        text = brief(value, MAX_CELL)
    else:
        try:
            text = str(value)
        except Exception:  # noqa: BLE001 - a cell may be any object, and its __str__ raise anything
            text = f"<unprintable {type(value).__name__}>"
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


_MAKERS: dict[str, Callable[[Any], Shapes]] = {
    "matplotlib.Figure": _figure,
    "pandas.DataFrame": _pandas_frame,
    "pandas.Series": _pandas_series,
    "polars.DataFrame": _polars_frame,
    "polars.Series": _polars_series,
}

__all__ = ["Gallery", "drawn"]
