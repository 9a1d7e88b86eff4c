"""What Python users hold: `RLM` (settings and a model) and `Run` (one question, its answer, its tree)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rlm_kernel.engine.engine import Engine, Job
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.thread import submit, tell
from rlm_kernel.errors import ConfigError, RLMError, RunInterrupted
from rlm_kernel.models import Model, resolve
from rlm_kernel.repl.pack import pack_context
from rlm_kernel.trace import SUFFIX, Call, ErrorInfo, Recorder, Status, Trace, Usage
from rlm_kernel.trace import load as load_trace
from rlm_kernel.trace import save as save_trace
from rlm_kernel.version import __version__
from rlm_kernel.views import html_document, mime_bundle, text_tree
from rlm_kernel.views.notebook import notebook_json
from rlm_kernel.views.page import html_page
from rlm_kernel.views.runs import RUNS

_STOP_SECONDS = 5.0


class RLM:
    """A Recursive Language Model, ready for questions.

    `model` answers rlm calls: a name (asked of the OpenAI-compatible server at `base_url`, by default
    `OPENAI_BASE_URL`, with the key in `OPENAI_API_KEY`), `"demo"`, or any `Model`. `sub_model` answers plain
    sub-calls, by default the same. Every field of `Settings` is an option.

        rlm = RLM(model="qwen3-32b", base_url="http://localhost:8000/v1", max_depth=2)
        run = rlm.run("Which papers disagree?", context=papers)

    Raises `ConfigError` when no model can be reached or a setting cannot work.
    """

    def __init__(
        self,
        *,
        model: str | Model | None = None,
        sub_model: str | Model | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        retries: int = 3,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        self.settings = _settings(settings, options)
        self.model = resolve(model, base_url=base_url, api_key=api_key, retries=retries)
        self.sub_model = self.model
        if sub_model is not None:
            self.sub_model = resolve(sub_model, base_url=base_url, api_key=api_key, retries=retries)

    def run(self, query: str, *, context: Any = None, name: str = "context") -> Run:
        """The finished run. Raises the `RLMError` that ended it, its `run` attribute holding what there is.

        Ctrl-C stops the run and raises `RunInterrupted`, which holds the run too; so does a stop from elsewhere,
        as from the tree: what follows is not to go on without an answer.
        """
        run = self.start(query, context=context, name=name)
        try:
            run.wait()
        except KeyboardInterrupt:
            raise RunInterrupted(run.stop()) from None
        if run._future.cancelled():
            raise RunInterrupted(run.stop())
        return run

    async def arun(self, query: str, *, context: Any = None, name: str = "context") -> Run:
        """As `run`, for code that awaits. Cancelling the task stops the run."""
        run = await asyncio.to_thread(self.start, query, context=context, name=name)
        try:
            await asyncio.wrap_future(run._future)
        except asyncio.CancelledError:
            run._future.cancel()
            raise
        except RLMError as error:
            raise run._own(error) from None
        return run

    def start(self, query: str, *, context: Any = None, name: str = "context") -> Run:
        """A run that is under way. Raises `ConfigError` for an empty query, `ContextError` for a context that
        cannot be copied; nothing has been asked then."""
        if not query.strip():
            raise ConfigError("the question is empty: say what you want to know", setting="query")
        run_id = _run_id(name)
        job = Job(
            run_id=run_id,
            query=query.strip(),
            context=None if context is None else pack_context(context, name),
            model=self.model,
            sub_model=self.sub_model,
            settings=self.settings,
            version=__version__,
        )
        trace = Trace(live=True, run_id=run_id)
        path = None if self.settings.trace_dir is None else _trace_path(Path(self.settings.trace_dir), run_id)
        return Run(trace, submit(_work(job, trace, path)), job.hurry)

    def __repr__(self) -> str:
        return f"RLM(model={self.model.name!r}, sub_model={self.sub_model.name!r})"


class Run:
    """One question with its answer, its tree and its trace. It never changes once it has ended."""

    def __init__(
        self,
        trace: Trace,
        future: concurrent.futures.Future[None] | None = None,
        hurry: asyncio.Event | None = None,
    ) -> None:
        self.trace = trace
        self._future = future if future is not None else _ended()
        self._hurry = hurry
        if self.id:
            RUNS.add(self)

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

    def __getitem__(self, call_id: str) -> Call:
        """The call with that id (`"0"` is the root). Raises `KeyError` that names the near ones."""
        calls = self.trace.tree.calls
        if call_id in calls:
            return calls[call_id]
        near = get_close_matches(str(call_id), calls, n=3, cutoff=0.5) or list(calls)[:3]
        raise KeyError(
            f"no call {call_id!r} in this run; there are {', '.join(near)}, … ({len(calls)} in all)"
        )

    def walk(self) -> Iterator[Call]:
        """Every call, parents first."""
        return self.trace.walk()

    def wait(self, seconds: float | None = None) -> Run:
        """This run, once it has ended. Raises the `RLMError` that ended it, and `TimeoutError` after `seconds`."""
        try:
            self._future.result(seconds)
        except RLMError as error:
            raise self._own(error) from None
        except concurrent.futures.CancelledError:
            pass  # stopped: the run says so itself, and is what the caller gets
        return self

    def stop(self) -> Run:
        """This run, ended now: every call of it is cancelled, and all it did so far is kept."""
        self.cancel()
        concurrent.futures.wait([self._future], timeout=_STOP_SECONDS)
        self.trace.wait_closed(_STOP_SECONDS)
        return self

    def cancel(self) -> None:
        """Asks the run to stop, as `stop` does, but returns at once, from any thread."""
        self._future.cancel()

    def answer_now(self) -> Run:
        """This run, told to answer with what it has: whatever is under way is cut short, the model gets one last
        turn, and the run ends `exhausted`. Returns at once, from any thread; does nothing once the run has ended."""
        if self._hurry is not None and not self._future.done():
            tell(self._hurry.set)
        return self

    def save(self, path: str | Path) -> Path:
        """The path of a new file with the whole trace; `rlm_kernel.load` reads it back."""
        target = Path(path).expanduser()
        return save_trace(self.trace, target if target.suffix else target.with_name(target.name + SUFFIX))

    def to_html(self, path: str | Path, *, interactive: bool = True) -> Path:
        """The path of a new HTML file with the whole run, drawn as in JupyterLab; it needs nothing else, no network
        either. With `interactive=False` it is the static tree, without a script."""
        page = html_page(self.trace) if interactive else html_document(self.trace)
        return _write(path, page)

    def to_notebook(self, path: str | Path) -> Path:
        """The path of a new notebook with a section per turn: what the model said, its code with its outputs, a line
        per sub-call."""
        return _write(path, notebook_json(self.trace))

    def widget(self) -> Any:
        """An ipywidget of the tree, to put into a layout of your own; a cell shows the run without one."""
        from rlm_kernel.views.widget import TraceWidget  # ipywidgets is slow to import and only this needs it

        return TraceWidget(self)

    def _own(self, error: RLMError) -> RLMError:
        error.run = self
        return error

    def __str__(self) -> str:
        return text_tree(self.trace)

    def __repr__(self) -> str:
        calls = sum(1 for _ in self.trace.walk())
        return f"<Run {self.id} {self.status}, {calls} calls, {self.usage.tokens:,} tokens>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return mime_bundle(self.trace)


def load(path: str | Path) -> Run:
    """The run in a trace file. Nothing of it is executed. Raises `TraceError` for what is not a trace."""
    return Run(load_trace(path))


async def _work(job: Job, trace: Trace, path: Path | None) -> None:
    recorder = Recorder(trace, path)
    try:
        await Engine(job, recorder).run()
    finally:
        recorder.close()
        if job.context is not None:
            job.context.close()


def _settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    known = Settings.__dataclass_fields__
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(sorted(known))}"
            raise ConfigError(f"there is no option {name!r}{hint}", setting=name)
    if settings is None:
        return Settings(**options)
    return Settings(**{**{name: getattr(settings, name) for name in known}, **options})


def _run_id(name: str) -> str:
    word = "".join(letter if letter.isalnum() else "-" for letter in name)[:30].strip("-") or "run"
    return f"{word}-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"


def _trace_path(folder: Path, run_id: str) -> Path:
    return folder.expanduser().absolute() / f"{run_id}{SUFFIX}"


def _write(path: str | Path, text: str) -> Path:
    target = Path(path).expanduser()
    target.write_text(text, encoding="utf-8", newline="\n")
    return target


def _ended() -> concurrent.futures.Future[None]:
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    future.set_result(None)
    return future


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


__all__ = ["RLM", "Run", "load"]
