"""`Underway`: a job at work on the engine thread, and the ways to reach it from any other."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from pathlib import Path

from rlm_kernel.engine.engine import Engine, Job
from rlm_kernel.engine.gate import Place
from rlm_kernel.engine.settings import Settings
from rlm_kernel.engine.thread import submit, tell
from rlm_kernel.trace import SUFFIX, Decision, Recorder, Redactor, Trace, environment_secrets


class Underway:
    """The job's `trace` as it grows, and `future`, which is done when the job is."""

    def __init__(self, job: Job, folder: str | Path | None) -> None:
        self._job = job
        self._engine: Engine | None = None
        self.trace = Trace(live=True, run_id=job.run_id)
        path = None if folder is None else _trace_path(Path(folder), job.run_id)
        self.future: concurrent.futures.Future[None] = submit(self._work(path))

    @property
    def settings(self) -> Settings:
        """The job's."""
        return self._job.settings

    def hurry(self) -> None:
        """Wants the answer now."""
        if not self.future.done():
            tell(self._job.hurry.set)

    def try_now(self) -> None:
        """Has the server tried at once, where the run waits for it."""
        tell(lambda: self._engine.outage.try_now() if self._engine else None)

    def decide(self, place: Place, decision: Decision, code: str | None) -> bool:
        """Whether a block waited there for a person; it goes on as decided, with other code if there is some."""
        return submit(self._decide(place, decision, code)).result()

    def waiting(self) -> list[tuple[Place, str]]:
        """The blocks that wait for a person, each with its code."""
        return submit(self._waiting()).result()

    def open_gate(self) -> None:
        """Lets every block run without asking from now on."""
        tell(lambda: self._engine.gate.open() if self._engine else None)

    async def _waiting(self) -> list[tuple[Place, str]]:
        return self._engine.gate.waiting if self._engine else []

    async def _decide(self, place: Place, decision: Decision, code: str | None) -> bool:
        return self._engine is not None and self._engine.gate.decide(place, decision, code)

    async def _work(self, path: Path | None) -> None:
        lazy = self._job.model.mode == "replayed"
        recorder = Recorder(self.trace, path, lazy=lazy, redactor=_redactor(self._job))
        async with _cached(self._job, path, self.trace) as job:
            try:
                self._engine = Engine(job, recorder)
                await self._engine.run()
            finally:
                self._engine = None
                recorder.close()
                if job.context is not None:
                    job.context.close()


@asynccontextmanager
async def _cached(job: Job, path: Path | None, trace: Trace) -> AsyncIterator[Job]:
    """The job, which takes replies from the cache in the folder of its trace, if it is to."""
    if not job.settings.cache:
        yield job
        return
    if path is None:
        trace.warning = (
            trace.warning or "replies are not reused: the cache is in the folder of traces, and there is none"
        )
        yield job
        return
    replies = import_module("rlm_kernel.models.replies")  # sqlite3 is slow to import, and few runs need it
    cached_model = import_module("rlm_kernel.models.cache").CachedModel
    cache = replies.ReplyCache(path.parent / replies.FILE_NAME)
    model = cached_model(job.model, cache)
    sub_model = model if job.sub_model is job.model else cached_model(job.sub_model, cache)
    try:
        yield replace(job, model=model, sub_model=sub_model)
    finally:
        trace.warning = trace.warning or cache.warning
        await cache.close()


def _redactor(job: Job) -> Redactor:
    """What takes the keys of the run's models, and whatever else of this process looks like a secret, out of its trace."""
    edit = job.plan.edit
    models = (job.model, job.sub_model, edit.model if edit else None)
    keys = {key for model in models for key in getattr(model, "secrets", ())}
    return Redactor(keys | environment_secrets(os.environ))


def new_id(name: str) -> str:
    """The id of a run that begins now, over a context of that name."""
    word = "".join(letter if letter.isalnum() else "-" for letter in name)[:30].strip("-") or "run"
    return f"{word}-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{os.urandom(4).hex()}"


def _trace_path(folder: Path, run_id: str) -> Path:
    return folder.expanduser().absolute() / f"{run_id}{SUFFIX}"


__all__ = ["Underway", "new_id"]
