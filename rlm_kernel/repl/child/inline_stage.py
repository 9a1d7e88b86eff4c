"""`InlineStage`: what surrounds blocks that run in their owner's own process. It takes over nothing of it.

The blocks have builtins of their own, in which `print`, `input` and `display` are ours. What a library prints by itself
goes where everything of that process goes: no stream is swapped for it.
"""

from __future__ import annotations

import builtins
import io
import sys

from rlm_kernel.repl.child.refused import no_input
from rlm_kernel.repl.child.rich import Gallery, drawn

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from rlm_kernel.repl.child.rich import Shapes

    class Sink(Protocol):
        """Takes what a block prints."""

        def write(self, text: str, /) -> int: ...


_print = print  # a block, or its owner, may replace the builtin


class InlineStage:
    """`variables` is the namespace of its blocks, `gallery` what they show; `out` and `err` take what they print."""

    def __init__(self, out: Sink, err: Sink) -> None:
        self._out = out
        self._err = err
        self.gallery: Gallery = InlineGallery(self.print)
        self._own = {"print": self.print, "input": no_input, "display": self.gallery.display}
        self._builtins: dict[str, Any] = {}
        self.variables: dict[str, Any] = {"__name__": "__main__"}

    def set(self, name: str, on_interrupt: Callable[..., None]) -> list[str]:
        """Makes everything ready for the next block."""
        self._builtins.clear()
        self._builtins.update(vars(builtins), **self._own)
        self.variables["__builtins__"] = self._builtins
        self.gallery.renew()
        return []

    def echo(self, value: Any) -> None:
        """Shows the value of a block's last expression."""
        self.print(repr(value))
        self.gallery.add(value)

    def clear(self) -> list[str]:
        """There is nothing to put back."""
        return []

    def print(self, *values: Any, file: Any = None, flush: bool = False, **options: Any) -> None:
        """Prints as Python does, the standard streams being those of the block; a line of a thread comes out whole."""
        if file is not None and file is not sys.stdout and file is not sys.stderr:
            _print(*values, file=file, flush=flush, **options)
            return
        text = io.StringIO()
        _print(*values, file=text, **options)
        (self._err if file is not None and file is sys.stderr else self._out).write(text.getvalue())


class InlineGallery(Gallery):
    """Keeps what a block shows on purpose. Open figures are left to whoever opened them: they may be its owner's."""

    def __init__(self, show: Callable[..., None]) -> None:
        self._show = show
        self.renew()

    def display(self, *objects: Any, **options: Any) -> None:
        """Prints each object; a table, a figure or an image is also kept for the person who reads the run."""
        for value in objects:
            self._show(repr(value))
            self.add(value)

    def finish(self) -> None:
        """There is nothing to take."""

    def _shapes(self, value: Any) -> Shapes | None:
        kinds = {f"{str(base.__module__).partition('.')[0]}.{base.__name__}" for base in type(value).__mro__}
        # Without hushing its warnings: which of them are told belongs to the whole process.
        return drawn(value) if "matplotlib.Figure" in kinds else super()._shapes(value)


__all__ = ["InlineGallery", "InlineStage"]
