"""`Recorded`: what can be read of a run, and the files that can be made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlm_kernel import views
from rlm_kernel.trace import SUFFIX, Call, ErrorInfo, Origin, Status, Trace, Usage
from rlm_kernel.trace import save as save_trace


class Recorded:
    """A question, its answer, its tree and its trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    @property
    def id(self) -> str:
        """The name of the run: also the name of its trace file."""
        return self.trace.run_id

    @property
    def query(self) -> str:
        """The question."""
        return self.trace.started.query if self.trace.started else ""

    @property
    def answer(self) -> str | None:
        """The answer; None while there is none."""
        end = self.trace.tree.end
        return end.answer if end else None

    @property
    def status(self) -> Status:
        """`running`, `finished`, `exhausted` (answered when a limit was reached), `failed`, `interrupted` or
        `cut off` (the trace stops)."""
        return self.trace.status

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed."""
        end = self.trace.tree.end
        return end.error if end else None

    @property
    def usage(self) -> Usage:
        """What all its requests used."""
        return self.trace.usage

    @property
    def path(self) -> Path | None:
        """Where the trace is on disk."""
        return self.trace.path

    @property
    def calls(self) -> Any:
        """Every call, one row each: a DataFrame when pandas is there, a list of dicts otherwise."""
        rows = [_row(call) for call in self.trace.walk()]
        try:
            import pandas as pd  # optional: nobody should need pandas to read a trace
        except ImportError:
            return rows
        return pd.DataFrame(rows).set_index("id") if rows else pd.DataFrame()

    @property
    def origin(self) -> Origin | None:
        """The run that this one was made from, and how; None for a question that was asked anew."""
        return self.trace.started.origin if self.trace.started else None

    def walk(self) -> Iterator[Call]:
        """Every call, parents first."""
        return self.trace.walk()

    def save(self, path: str | Path) -> Path:
        """The path of a new file with the whole trace; `rlm_kernel.load` reads it back."""
        target = Path(path).expanduser()
        return save_trace(self.trace, target if target.suffix else target.with_name(target.name + SUFFIX))

    def to_html(self, path: str | Path, *, interactive: bool = True) -> Path:
        """The path of a new HTML file with the whole run, drawn as in JupyterLab; it needs nothing else, no network
        either. With `interactive=False` it is the static tree, without a script."""
        page = views.html_page(self.trace) if interactive else views.html_document(self.trace)
        return _write(path, page)

    def to_notebook(self, path: str | Path) -> Path:
        """The path of a new notebook with a section per turn: what the model said, its code with its outputs, a line
        per sub-call."""
        return _write(path, views.notebook_json(self.trace))

    def __str__(self) -> str:
        return views.text_tree(self.trace)

    def __repr__(self) -> str:
        calls = sum(1 for _ in self.trace.walk())
        return f"<Run {self.id} {self.status}, {calls} calls, {self.usage.tokens:,} tokens>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return views.mime_bundle(self.trace)


def _write(path: str | Path, text: str) -> Path:
    target = Path(path).expanduser()
    target.write_text(text, encoding="utf-8", newline="\n")
    return target


def _row(call: Call) -> dict[str, Any]:
    usage = call.usage
    return {
        "id": call.id,
        "kind": call.kind,
        "depth": call.depth,
        "status": call.status,
        "model": call.model,
        "turns": len(call.turns),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost": usage.cost,
        "start": call.start,
        "seconds": call.seconds,
        "prompt": call.prompt,
        "answer": call.answer,
        "error": str(call.error) if call.error else None,
    }


__all__ = ["Recorded"]
