"""The kernel's end of the channel to JupyterLab: a comm that the front end opens, so that it works during a cell.

Where the front end uses a subshell, its messages come on that subshell's thread while a cell runs. ipykernel 7.4
sends later messages of a comm to the shell that last published on it, so nothing here is ever sent from the cell's
own thread: a `Session` answers on the thread that the message came on, and on one that it starts there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_kernel.magic.magics import RlmMagics
    from rlm_kernel.trace import Peek, Trace
    from rlm_kernel.views.channel import Session
    from rlm_kernel.views.op import Wish
    from rlm_kernel.views.runs import Runs

TARGET = "rlm_kernel"
_RUN_ID = re.compile(r"[\w-]{1,100}")
_MOST_STORED = 500


@dataclass(frozen=True)
class _End:
    """One front end: its comm, the conversation over it, and the version of its extension."""

    comm: Any
    session: Session
    version: str


class Control:
    """The channel of one kernel. Without a kernel, as in a terminal, it does nothing."""

    def __init__(self, magics: RlmMagics) -> None:
        self._magics = magics
        self._kernel: Any = getattr(magics.host, "kernel", None)
        self._ends: dict[str, _End] = {}
        self._desk = NotebookDesk(magics)

    @property
    def front_end(self) -> str | None:
        """The version of the extension that connected last and is still there, or None."""
        return next((end.version for end in reversed(list(self._ends.values()))), None)

    def open(self) -> None:
        """Lets front ends connect."""
        if self._kernel is not None:
            self._kernel.comm_manager.register_target(TARGET, self._opened)

    def close(self) -> None:
        """Ends every connection; none can be made any more."""
        if self._kernel is not None:
            self._kernel.comm_manager.unregister_target(TARGET, self._opened)
        for end in list(self._ends.values()):
            end.session.close()
            end.comm.close()
        self._ends.clear()

    def cell(self) -> str:
        """The id of the cell whose code runs on this thread, as the front end names it, or empty."""
        if self._kernel is None:
            return ""
        try:
            metadata = self._kernel.get_parent().get("metadata")
        except LookupError:  # ipykernel 7.0 does not know it on a thread that a cell started
            return ""
        cell = metadata.get("cellId") if isinstance(metadata, dict) else None
        return cell if isinstance(cell, str) else ""

    def _opened(self, comm: Any, message: dict[str, Any]) -> None:
        data = message["content"].get("data")
        version = data.get("version") if isinstance(data, dict) else None
        # Loaded here, where a front end wants it, and not by %load_ext, which must cost a notebook nothing.
        session: Session = import_module("rlm_kernel.views.channel").Session(comm.send, self._desk)
        _runs().cell = self.cell
        self._ends[comm.comm_id] = _End(comm, session, version if isinstance(version, str) else "")
        comm.on_msg(lambda message: session.receive(message["content"].get("data")))
        comm.on_close(self._closed)
        session.greet()

    def _closed(self, message: dict[str, Any]) -> None:
        end = self._ends.pop(message["content"]["comm_id"], None)
        if end is not None:
            end.session.close()


class NotebookDesk:
    """What a front end can look up: every run of this process, and the traces in the notebook's folder."""

    def __init__(self, magics: RlmMagics) -> None:
        self._magics = magics
        self._loaded: Trace | None = None

    def find(self, run_id: str) -> Trace | None:
        """The trace of that run. After a restart of the kernel it is read from its file."""
        run = _runs().get(run_id)
        if run is not None:
            return run.trace
        if self._loaded is None or self._loaded.run_id != run_id:
            self._loaded = self._load(run_id)
        return self._loaded

    def traces(self) -> list[Trace]:
        """Those of this notebook, and all that are under way."""
        return [run.trace for run in list(self._magics.runs)] + _runs().live()

    def stored(self) -> list[Peek]:
        """Those in the notebook's folder that were made from other runs, the newest of them."""
        store = import_module("rlm_kernel.trace")
        folder = Path(self._magics.trace_dir).expanduser()
        paths = sorted(folder.glob(f"*{store.SUFFIX}"), key=_changed, reverse=True) if folder.is_dir() else []
        found = map(store.peek, paths[:_MOST_STORED])
        return [each for each in found if each is not None]

    def bundle(self, trace: Trace) -> dict[str, Any]:
        """As large as the notebook's setting has it, or that of the cell."""
        bundle = import_module("rlm_kernel.views").mime_bundle
        data: dict[str, Any] = bundle(trace, inline_kb=self._magics.size_of(trace.run_id))
        return data

    def derive(self, run_id: str, wish: Wish) -> list[str]:
        """New runs made from that one, which the notebook keeps."""
        derive = import_module("rlm_kernel.magic.derive").derived
        return [run.id for run in derive(self._magics, run_id, wish.kind, wish.at, wish.edit)]

    def _load(self, run_id: str) -> Trace | None:
        # The id names a file of its own folder and nothing else: it is no path, and the file has to be that run's.
        if not _RUN_ID.fullmatch(run_id):
            return None
        store = import_module("rlm_kernel.trace")
        path = Path(self._magics.trace_dir).expanduser() / f"{run_id}{store.SUFFIX}"
        if not path.is_file():
            return None
        trace: Trace = store.load(path)
        return trace if trace.run_id == run_id else None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _runs() -> Runs:
    runs: Runs = import_module("rlm_kernel.views.runs").RUNS
    return runs


__all__ = ["TARGET", "Control", "NotebookDesk"]
