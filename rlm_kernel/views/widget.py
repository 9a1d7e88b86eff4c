"""`TraceWidget`: a run's tree as an ipywidget, for those who build a layout of their own around it.

The only module of this floor that needs ipywidgets. A cell shows a run without it; a widget that is shown by itself
is shown by the same renderer, and stays readable in a saved notebook.
"""

from __future__ import annotations

from typing import Any

from ipywidgets import DOMWidget
from traitlets import Unicode

from rlm_kernel.errors import UnknownRun
from rlm_kernel.trace import Peek, Trace
from rlm_kernel.views.bundle import mime_bundle
from rlm_kernel.views.channel import Session
from rlm_kernel.views.op import Wish
from rlm_kernel.views.runs import AnyRun

MODULE = "rlm-kernel"


class TraceWidget(DOMWidget):  # type: ignore[misc]  # ipywidgets ships no types
    """The tree of one run. `height` is a CSS length; empty leaves it to the front end.

    Only these two travel as traits: nbclient writes every trait into the notebook. Events go as custom messages, in
    the protocol of the channel.
    """

    # Any version of the extension draws it: where package and extension differ, the tree itself says what to do.
    _model_module = Unicode(MODULE).tag(sync=True)
    _model_module_version = Unicode("*").tag(sync=True)
    _model_name = Unicode("TraceModel").tag(sync=True)
    _view_module = Unicode(MODULE).tag(sync=True)
    _view_module_version = Unicode("*").tag(sync=True)
    _view_name = Unicode("TraceView").tag(sync=True)

    run_id = Unicode("", help="The run it shows.").tag(sync=True)
    height = Unicode("", help="A CSS length, as 30em.").tag(sync=True)

    def __init__(self, run: AnyRun, **options: Any) -> None:
        self._desk = RunDesk(run)
        super().__init__(run_id=run.trace.run_id, **options)
        self._session = Session(self.send, self._desk)
        self.on_msg(self._received)

    def close(self) -> None:
        """Takes the widget away; the run goes on."""
        if hasattr(self, "_session"):  # a widget also closes when its making failed
            self._session.close()
        super().close()

    def _received(self, widget: object, content: object, buffers: object) -> None:
        self._session.receive(content)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**(super()._repr_mimebundle_(**options) or {}), **self._desk.bundle(self._desk.run.trace)}


class RunDesk:
    """One run, which it keeps alive, and what is made from it, and no other."""

    def __init__(self, run: AnyRun) -> None:
        self.run = run
        self._made: list[AnyRun] = []

    def find(self, run_id: str) -> Trace | None:
        """Its trace, if it is that run or one made from it."""
        return next((each.trace for each in self._all() if each.trace.run_id == run_id), None)

    def traces(self) -> list[Trace]:
        """Its trace, and those of the runs made from it."""
        return [each.trace for each in self._all()]

    def stored(self) -> list[Peek]:
        """Nothing: it looks at no folder."""
        return []

    def bundle(self, trace: Trace) -> dict[str, Any]:
        """What a notebook holds of it."""
        return mime_bundle(trace)

    def derive(self, run_id: str, wish: Wish) -> list[str]:
        """Runs made from it or from one of those, which it keeps alive too."""
        parent = next((each for each in self._all() if each.trace.run_id == run_id), None)
        if parent is None:
            raise UnknownRun(f"this widget shows another run than {run_id!r}", run_id=run_id)
        made = parent.derive(wish.kind, wish.at, wish.edit)
        self._made += made
        return [each.trace.run_id for each in made]

    def _all(self) -> list[AnyRun]:
        return [self.run, *self._made]


__all__ = ["MODULE", "RunDesk", "TraceWidget"]
