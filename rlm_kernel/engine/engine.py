"""`Engine`: one run, from its question to its answer. Emits events and nothing else; lives on the loop thread."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rlm_kernel.engine.ask import Asker, error_info
from rlm_kernel.engine.gate import Gate
from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.loop import RlmCall
from rlm_kernel.engine.means import Means
from rlm_kernel.engine.outage import Outage
from rlm_kernel.engine.past import Past
from rlm_kernel.engine.plan import Plan
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.spec import CallSpec, Outcome
from rlm_kernel.engine.subcalls import Subcalls
from rlm_kernel.errors import NotReached, RLMError
from rlm_kernel.models import Model, Reply, Request
from rlm_kernel.repl.base import SubcallResult
from rlm_kernel.repl.pack import Packed
from rlm_kernel.repl.repls import Repls
from rlm_kernel.repl.terms import Terms
from rlm_kernel.trace import (
    CallFinished,
    CallKind,
    CallStarted,
    Message,
    Origin,
    Recorder,
    RunFinished,
    RunStarted,
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a run is started with. `model` answers rlm calls, `sub_model` plain requests.

    Its code runs under `terms`. The root is of that `kind`, asks `root_model`, and its prompt may be its context; `names`
    are the models that its code asks for where it names none: all by default those of the models. `plan` says what is
    done again of which record, and `then` are the settings that what is done again had; `origin` says so in the trace,
    `seed` is where chance starts from. Setting `hurry`, on the loop thread, makes the root take its one last turn with
    what it has, at once.
    """

    run_id: str
    query: str
    context: Packed | None
    model: Model
    sub_model: Model
    settings: Settings
    terms: Terms
    version: str
    kind: CallKind = "rlm"
    names: tuple[str, str] | None = None
    root_model: str | None = None
    prompt_is_context: bool = False
    plan: Plan = field(default_factory=Plan)
    then: Settings | None = None
    origin: Origin | None = None
    seed: int | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)


class Engine:
    """Runs one job. Make and use it on the loop thread."""

    def __init__(self, job: Job, recorder: Recorder) -> None:
        self._job = job
        self._settings = job.settings
        self._recorder = recorder
        self._ledger = Ledger(job.settings)
        self.outage = Outage(
            job.settings.pause_seconds, self._ledger, recorder, run_id=job.run_id, hurry=job.hurry
        )
        self._asker = Asker(job.settings, self._ledger, recorder, self.outage)
        self.gate = Gate(recorder, self._ledger, closed=job.settings.step)
        self._repls = Repls(job.terms, job.context, block_seconds=job.settings.block_seconds)
        seed = job.settings.seed if job.seed is None else job.seed
        self._seed = int.from_bytes(os.urandom(4)) if seed is None else seed
        self._names = job.names or (job.model.name, job.sub_model.name)
        # One limit for each depth: a child that waits for its own children never waits for a place of theirs.
        self._places: dict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(job.settings.max_workers)
        )

    async def run(self) -> None:
        """Runs the job to its end. Raises the `RLMError` that ended it, after recording it."""
        root = self._root()
        self._record_start()
        self._start(root)
        try:
            outcome = await self.outage.watch(self._make(root))
        except asyncio.CancelledError:
            self._recorder.record(RunFinished(status="interrupted"))
            raise
        except Exception as error:
            self._recorder.record(RunFinished(status="failed", error=error_info(error)))
            raise
        finally:
            await self._repls.close()
        self._recorder.record(RunFinished(status=outcome.status, answer=outcome.answer))

    def _root(self) -> CallSpec:
        job, past = self._job, Past(self._job.plan, self._job.plan.root)
        edit = past.edit
        model = job.root_model or self._names[job.kind == "llm"]
        return CallSpec(
            id="0",
            kind=job.kind,
            depth=0,
            model=edit.model.name if edit and edit.model and edit.turn == 1 else model,
            prompt=job.query,
            past=past,
            packed=job.context,
            prompt_is_context=job.prompt_is_context,
        )

    async def _subcall(self, spec: CallSpec) -> SubcallResult:
        try:
            outcome = await self._make(spec)
        except RLMError as error:
            return SubcallResult(error=error_info(error))
        return SubcallResult(answer=outcome.answer)

    async def _make(self, spec: CallSpec) -> Outcome:
        try:
            if spec.past.is_wanted():
                await self._show(spec)
            outcome = await self._outcome(spec)
            if spec.depth == 0 and not self._job.plan.reached:
                raise NotReached(
                    "the code did something else this time, and the run ended before the step that was to be changed: "
                    "fork at an earlier step"
                )
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

    async def _outcome(self, spec: CallSpec) -> Outcome:
        try:
            return await (self._rlm(spec) if spec.kind == "rlm" else self._llm(spec))
        finally:
            await spec.past.end_in_order()

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
        reply = await self._ask(request, spec.past)
        return Outcome(status="finished", answer=reply.text, how="reply")

    async def _ask(self, request: Request, past: Past, *, beyond_limits: bool = False) -> Reply:
        model, name = past.model(request.turn), request.model
        if model is None:
            plain = request.kind == "llm"
            model = self._job.sub_model if plain else self._job.model
            if name == self._names[plain]:
                name = model.name  # somebody else answers than in the record
        return await self._asker.ask(model, request, past, name=name, beyond_limits=beyond_limits)

    async def _show(self, spec: CallSpec) -> None:
        wanted = self._job.plan.wanted
        assert wanted is not None
        packed = spec.packed
        if packed is not None and packed.fd >= 0:
            packed = replace(packed, fd=os.dup(packed.fd))  # it is closed with the block that gave it
        wanted.found.set_result(replace(spec, packed=packed))
        await asyncio.Event().wait()

    async def _rlm(self, spec: CallSpec) -> Outcome:
        async with self._places[spec.depth]:
            # Siblings that draw samples are to draw different ones.
            seed = zlib.crc32(spec.id.encode(), self._seed % 2**32)
            means = Means(
                repl=self._repls.make(spec.packed, seed=seed),
                ask=self._ask,
                subcalls=Subcalls(
                    spec,
                    (self._settings, self._job.then or self._settings),
                    self._ledger,
                    self._names,
                    self._start,
                    self._subcall,
                ),
                settings=self._settings,
                ledger=self._ledger,
                recorder=self._recorder,
                gate=self.gate,
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

    def _answered_by(self) -> dict[str, dict[str, str]]:
        """Who answers, where that is somebody else than those whom the code asks for by default."""
        names = (self._job.model.name, self._job.sub_model.name)
        if names == tuple(self._names):
            return {}
        return {"answered_by": {"model": names[0], "sub_model": names[1]}}

    def _record_start(self) -> None:
        job = self._job
        self._recorder.record(
            RunStarted(
                run_id=job.run_id,
                query=job.query,
                started=datetime.now(UTC).isoformat(timespec="seconds"),
                version=job.version,
                mode=job.model.mode,
                isolation=job.terms.isolation,
                isolation_why=job.terms.why,
                settings={
                    **job.settings.recorded(),
                    "model": self._names[0],
                    "sub_model": self._names[1],
                    **self._answered_by(),
                },
                context=job.context.card if job.context else None,
                seed=self._seed,
                origin=job.origin,
            )
        )


__all__ = ["Engine", "Job"]
