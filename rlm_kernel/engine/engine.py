"""`Engine`: one run, from its question to its answer. Emits events and nothing else; lives on the loop thread."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from rlm_kernel.engine.ask import Asker, error_info
from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.loop import Means, RlmCall
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.spec import CallSpec, Outcome
from rlm_kernel.engine.subcalls import Subcalls
from rlm_kernel.errors import RLMError
from rlm_kernel.models import Model, Request
from rlm_kernel.repl.base import Repl, SubcallResult
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.worker import WorkerRepl
from rlm_kernel.trace import CallFinished, CallStarted, Message, Recorder, RunFinished, RunStarted


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a run is started with. `model` answers rlm calls, `sub_model` plain requests.

    Setting `hurry`, on the loop thread, makes the root take its one last turn with what it has, at once.
    """

    run_id: str
    query: str
    context: Packed | None
    model: Model
    sub_model: Model
    settings: Settings
    version: str
    hurry: asyncio.Event = field(default_factory=asyncio.Event)


MakeRepl = Callable[[CallSpec, Settings], Repl]


def worker(spec: CallSpec, settings: Settings) -> Repl:
    """A worker process for that call."""
    plain = spec.depth + 1 >= settings.max_depth
    return WorkerRepl(spec.packed, block_seconds=settings.block_seconds, plain_children=plain)


class Engine:
    """Runs one job. Make and use it on the loop thread."""

    def __init__(self, job: Job, recorder: Recorder, *, make_repl: MakeRepl = worker) -> None:
        self._job = job
        self._settings = job.settings
        self._recorder = recorder
        self._ledger = Ledger(job.settings)
        self._asker = Asker(job.settings, self._ledger, recorder)
        self._make_repl = make_repl
        # One limit for each depth: a child that waits for its own children never waits for a place of theirs.
        self._places: dict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(job.settings.max_workers)
        )

    async def run(self) -> None:
        """Runs the job to its end. Raises the `RLMError` that ended it, after recording it."""
        job = self._job
        root = CallSpec(
            id="0", kind="rlm", depth=0, model=job.model.name, prompt=job.query, packed=job.context
        )
        self._record_start()
        self._start(root)
        try:
            outcome = await self._make(root)
        except asyncio.CancelledError:
            self._recorder.record(RunFinished(status="interrupted"))
            raise
        except Exception as error:
            self._recorder.record(RunFinished(status="failed", error=error_info(error)))
            raise
        self._recorder.record(RunFinished(status=outcome.status, answer=outcome.answer))

    async def _subcall(self, spec: CallSpec) -> SubcallResult:
        try:
            outcome = await self._make(spec)
        except RLMError as error:
            return SubcallResult(error=error_info(error))
        return SubcallResult(answer=outcome.answer)

    async def _make(self, spec: CallSpec) -> Outcome:
        try:
            outcome = await (self._rlm(spec) if spec.kind == "rlm" else self._llm(spec))
        except asyncio.CancelledError:
            self._recorder.record(CallFinished(call_id=spec.id, status="interrupted"))
            raise
        except Exception as error:
            self._recorder.record(CallFinished(call_id=spec.id, status="failed", error=error_info(error)))
            raise
        answer = outcome.answer if spec.kind == "rlm" else None  # an llm call's answer is its reply
        self._recorder.record(
            CallFinished(call_id=spec.id, status=outcome.status, answer=answer, how=outcome.how)
        )
        return outcome

    async def _llm(self, spec: CallSpec) -> Outcome:
        request = Request(
            messages=(Message(role="user", content=spec.prompt),),
            model=spec.model,
            call_id=spec.id,
            turn=1,
            kind="llm",
            temperature=self._settings.temperature,
            max_output_tokens=self._settings.max_output_tokens,
            seconds=self._settings.request_seconds,
        )
        reply = await self._asker.ask(self._job.sub_model, request)
        return Outcome(status="finished", answer=reply.text, how="reply")

    async def _rlm(self, spec: CallSpec) -> Outcome:
        async with self._places[spec.depth]:
            models = self._job.model.name, self._job.sub_model.name
            means = Means(
                repl=self._make_repl(spec, self._settings),
                ask=partial(self._asker.ask, self._job.model),
                subcalls=Subcalls(spec, self._settings, self._ledger, models, self._start, self._subcall),
                settings=self._settings,
                ledger=self._ledger,
                recorder=self._recorder,
                # A child is not hurried: it ends with the block of the root that waits for it.
                hurry=self._job.hurry if spec.depth == 0 else asyncio.Event(),
            )
            return await RlmCall(spec, means).run()

    def _start(self, spec: CallSpec) -> None:
        self._recorder.record(
            CallStarted(
                call_id=spec.id,
                kind=spec.kind,
                depth=spec.depth,
                model=spec.model,
                prompt=spec.prompt,
                context=spec.packed.card if spec.packed else None,
                batch=spec.batch,
                site=spec.site,
                depth_capped=spec.depth_capped,
            )
        )

    def _record_start(self) -> None:
        job = self._job
        self._recorder.record(
            RunStarted(
                run_id=job.run_id,
                query=job.query,
                started=datetime.now(UTC).isoformat(timespec="seconds"),
                version=job.version,
                mode=job.model.mode,
                isolation=WorkerRepl.isolation,
                settings={
                    **job.settings.recorded(),
                    "model": job.model.name,
                    "sub_model": job.sub_model.name,
                },
                context=job.context.card if job.context else None,
            )
        )


__all__ = ["Engine", "Job", "MakeRepl", "worker"]
