"""`Run`: one question, under way or ended; asked again, changed and continued from any of its steps."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rlm_kernel.engine.engine import Job
from rlm_kernel.engine.plan import Plan
from rlm_kernel.engine.thread import result_of
from rlm_kernel.errors import ConfigError, RLMError, RunInterrupted
from rlm_kernel.models import Model
from rlm_kernel.run.again import Again, Given, Models, original_of, told
from rlm_kernel.run.edits import Change
from rlm_kernel.run.node import Node
from rlm_kernel.run.recorded import Recorded
from rlm_kernel.run.restored import call_alone, context_of, variables_at
from rlm_kernel.run.resumable import check_resumable
from rlm_kernel.run.underway import Underway
from rlm_kernel.run.variants import Variants
from rlm_kernel.trace import Decision, Derived, Step, Trace, find_step
from rlm_kernel.trace import load as load_trace
from rlm_kernel.views.runs import RUNS

if TYPE_CHECKING:
    from rlm_kernel.views.compare import Comparison

_STOP_SECONDS = 5.0
Limits = Mapping[str, Any] | None
_CHANGES: dict[Derived, tuple[str, ...]] = {
    "replay": (),
    "resume": ("model", "limits"),
    "fork": ("code", "block", "reply", "hint", "prompt", "model", "limits"),
    "rerun": ("prompt", "model", "temperature", "max_output_tokens", "n"),
}


class Run(Recorded):
    """One question with its answer, its tree and its trace. It never changes once it has ended: whatever is made from
    it (`replay`, `rerun`, `fork`, `resume`) is a new run, whose trace names this one.

    Each of those waits until the new run has ended, unless told not to (`wait=False`), and raises the `RLMError` that
    ended it. `context` is what the run asked about; it is looked up where it is known, and checked by its hash:
    `other_context=True` allows another one. They raise `ContextMissing`, `ContextMismatch`, `ConfigError` before
    anything is asked.
    """

    def __init__(
        self,
        trace: Trace,
        underway: Underway | None = None,
        models: Models | None = None,
        look_up: Callable[[], Any] | None = None,
    ) -> None:
        super().__init__(trace)
        self._underway = underway
        self._future = underway.future if underway else _ended()
        self._again = Again(trace, models, look_up, underway.settings if underway else None)
        if self.id:
            RUNS.add(self)

    def wait(self, seconds: float | None = None) -> Run:
        """This run, once it has ended. Raises the `RLMError` that ended it, and `TimeoutError` after `seconds`."""
        try:
            result_of(self._future, seconds)
        except RLMError as error:
            raise self._own(error) from None
        except concurrent.futures.CancelledError:
            pass  # stopped: the run says so itself, and is what the caller gets
        return self

    def finish(self) -> Run:
        """This run, once it has ended. Raises the `RLMError` that ended it; `RunInterrupted` after Ctrl-C, which stops
        it, and after a stop from elsewhere: what follows is not to go on without an answer."""
        try:
            self.wait()
        except KeyboardInterrupt:
            raise RunInterrupted(self.stop()) from None
        if self._future.cancelled():
            raise RunInterrupted(self.stop())
        return self

    async def afinish(self) -> Run:
        """As `finish`, for code that awaits. Cancelling the task stops the run."""
        try:
            await asyncio.wrap_future(self._future)
        except asyncio.CancelledError:
            self._future.cancel()
            raise
        except RLMError as error:
            raise self._own(error) from None
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
        if self._underway is not None:
            self._underway.hurry()
        return self

    def try_now(self) -> Run:
        """This run, which tries its server at once where it is paused for that. From any thread."""
        if self._underway is not None:
            self._underway.try_now()
        return self

    def decide(
        self, call_id: str, turn: int, block: int, decision: Decision = "", code: str | None = None
    ) -> bool:
        """Whether that block of a run with `step=True` was held for a person: it now runs, runs as `code` instead
        (`"edited"`), or does not (`"skipped"`). From any thread. Raises `ConfigError` for anything else."""
        if decision not in get_args(Decision):
            raise ConfigError(
                f"a decision is 'edited', 'skipped', or '' to run the block as it is, not {decision!r}",
                setting="decision",
            )
        if decision == "edited" and code is None:
            raise ConfigError("an edited block needs its new code: code=…", setting="code")
        if self._underway is None or self._future.done():
            return False
        return self._underway.decide((call_id, turn, block), decision, code)

    @property
    def waiting(self) -> list[tuple[tuple[str, int, int], str]]:
        """The blocks that are held for a person: call, turn and number of each, and its code."""
        return self._underway.waiting() if self._underway is not None and not self._future.done() else []

    def step_no_more(self) -> Run:
        """This run, which holds no block any more."""
        if self._underway is not None:
            self._underway.open_gate()
        return self

    # Its steps

    def __getitem__(self, path: str) -> Node:
        """The step of that path: `"0"` is the root, `"0.3"` its third turn, `"0.3.2"` the second sub-call of that.

        Raises `UnknownStep`, a `KeyError` that names the near ones.
        """
        return Node(find_step(self.trace.tree, str(path)), self._restored)

    # Runs made from it

    def replay(
        self, *, limits: Limits = None, context: Any = None, other_context: bool = False, wait: bool = True
    ) -> Run:
        """The same run again from its trace: its code is executed, its replies come from the record, no model is asked.

        Where something is not as it was, the step says so (`CodeExecuted.divergences`). A request that the record has
        no reply for fails with `MissingReply`. Where its code runs is no part of the record: it is as with any new run,
        or as `limits` say (`{"isolation": "inline"}`).
        """
        given = Given(value=context, other=other_context)
        job = self._again.replay(given, Plan(self._again.record()), limits)
        return self._begin(job, self._knows(given), wait)

    def fork(
        self,
        at: str,
        *,
        code: str | None = None,
        block: int | None = None,
        reply: str | None = None,
        hint: str | None = None,
        prompt: str | None = None,
        model: str | Model | None = None,
        limits: Limits = None,
        context: Any = None,
        other_context: bool = False,
        wait: bool = True,
    ) -> Run:
        """A run that does the same up to the step `at`, is changed there, and goes on with a model.

        At a turn (`"0.3"`): other `code` in its block (number `block` where it has several), another `reply`, a `hint`
        to the model before it replies, another `model` from there on. At a call (`"0.3.2"`): another `prompt`, `reply`
        (plain requests), `hint` (rlm calls) or `model`. Without a change the model is asked again. `limits` are
        settings from there on: `{"max_turns": 40}`. Replies to requests that stay the same are not paid for again.
        Raises `UnknownStep`; `NotReached` when the code does something else this time.
        """
        change = Change(
            code=code, block=block, reply=reply, hint=hint, prompt=prompt, model=self._model(model)
        )
        record = self._again.record()
        edit = change.at(find_step(record.tree, str(at)))
        plan = Plan(record, edit=edit)
        wanted = {**told(change.given), **({"limits": dict(limits)} if limits else {})}
        origin = self._again.origin("fork", str(at), wanted)
        given = Given(value=context, other=other_context)
        return self._begin(self._again.fork(given, plan, origin, limits or {}), self._knows(given), wait)

    def resume(
        self,
        *,
        model: str | Model | None = None,
        limits: Limits = None,
        context: Any = None,
        other_context: bool = False,
        wait: bool = True,
    ) -> Run:
        """A run that goes on where this one was interrupted, exhausted, failed or cut off; nothing is paid for again.

        `limits` are settings from there on; one that ended the run has to be raised. `model` answers where this
        run's own cannot be reached.
        """
        check_resumable(self.trace, limits or {})
        again = self._again
        if model is not None:
            instead = again.named(model)
            again = Again(self.trace, Models(model=instead, sub_model=instead), again.look_up, again.own)
        record = again.record()
        wanted = told({"model": self._model(model), "limits": dict(limits or {}) or None})
        origin = again.origin("resume", "", wanted)
        given = Given(value=context, other=other_context)
        job = again.fork(given, Plan(record, resume=True), origin, limits or {})
        return self._begin(job, self._knows(given), wait)

    def rerun(
        self,
        at: str,
        *,
        prompt: str | None = None,
        model: str | Model | None = None,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
        n: int = 1,
        context: Any = None,
        other_context: bool = False,
        wait: bool = True,
    ) -> Variants:
        """That one call asked again with a model, `n` times at once, beside what it gave in this run.

        Each variant is a run of its own; no later step of this run is done again. A child's context is restored by
        replaying up to the call. Raises `UnknownStep`.
        """
        if type(n) is not int or not 1 <= n <= 100:
            raise ConfigError(f"n takes a number of samples from 1 to 100, not {n!r}", setting="n")
        step = find_step(self._again.record().tree, str(at))
        if step.turn is not None:
            raise ConfigError(
                f"{step} is a turn: rerun a call ({step.call.id}), or fork the turn", setting="at"
            )
        change = Change(prompt=prompt, model=self._model(model))
        change.at(step)
        edit = change.given | {"temperature": temperature, "max_output_tokens": max_output_tokens}
        given = Given(value=context, other=other_context)
        jobs = call_alone(self._again, step.call, edit, given, n)
        # A variant that is done again has its context restored once more.
        again, call = self._again, step.call
        runs = [self._begin(job, lambda: context_of(again, call, given)[0], wait=False) for job in jobs]
        variants = Variants(original_of(step.call), runs, at=step.call.id)
        return variants.wait() if wait else variants

    def diff(self, other: Run) -> Comparison:
        """The two runs side by side, aligned by call and turn; shows itself as text and as HTML."""
        from rlm_kernel.views.compare import compare  # slow to import, and a first question does not need it

        return compare(self.trace, other.trace)

    def derive(self, kind: Derived, at: str, edit: Mapping[str, Any]) -> list[Run]:
        """Runs made from this one, under way: `kind` is the method, `edit` its options. Raises as that does."""
        for name in edit:
            if name not in _CHANGES[kind]:
                fit = ", ".join(_CHANGES[kind]) or "nothing"
                raise ConfigError(f"a {kind} does not take {name}=; it takes {fit}", setting=name)
        options = {**edit, "wait": False}
        match kind:
            case "replay":
                return [self.replay(**options)]
            case "resume":
                return [self.resume(**options)]
            case "fork":
                return [self.fork(at, **options)]
            case "rerun":
                return self.rerun(at, **options).runs

    # How they are made

    def answer_with(self, model: Model, sub_model: Model | None = None) -> Run:
        """This run, with somebody to answer where it goes on, if nobody was known."""
        if self._again.models is None:
            self._again.models = Models(model=model, sub_model=sub_model or model)
        return self

    def reach(self, *, base_url: str | None) -> Run:
        """This run, whose models are to be found at that server if it goes on and nobody is known to answer."""
        self._again.base_url = base_url
        return self

    def look_up_context(self, look_up: Callable[[], Any]) -> Run:
        """This run, which keeps its context no longer and asks this function for it when it is done again."""
        self._again.look_up = look_up
        return self

    def _knows(self, given: Given) -> Callable[[], Any] | None:
        return self._again.look_up if given.value is None else lambda: given.value

    def _begin(self, job: Job, look_up: Callable[[], Any] | None, wait: bool) -> Run:
        underway = Underway(job, self._again.folder)
        new = Models(model=job.model, sub_model=job.sub_model)
        models = self._again.models if job.model.mode == "replayed" else new
        run = Run(underway.trace, underway, models, look_up).reach(base_url=self._again.base_url)
        return run.finish() if wait else run

    def _model(self, model: str | Model | None) -> Model | None:
        return None if model is None else self._again.named(model)

    def _restored(
        self, step: Step, names: tuple[str, ...], *, context: Any, other_context: bool
    ) -> dict[str, Any]:
        return variables_at(self._again, step, names, Given(value=context, other=other_context))

    def widget(self) -> Any:
        """An ipywidget of the tree, to put into a layout of your own; a cell shows the run without one."""
        from rlm_kernel.views.widget import TraceWidget  # ipywidgets is slow to import and only this needs it

        return TraceWidget(self)

    def _own(self, error: RLMError) -> RLMError:
        error.run = self
        return error


def load(path: str | Path) -> Run:
    """The run in a trace file. Nothing of it is executed. Raises `TraceError` for what is not a trace."""
    return Run(load_trace(path))


def _ended() -> concurrent.futures.Future[None]:
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    future.set_result(None)
    return future


__all__ = ["Run", "load"]
