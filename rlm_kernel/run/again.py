"""`Again`: a run's record with what it takes to do it again: who answers, and where its context is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from rlm_kernel.engine.engine import Job
from rlm_kernel.engine.plan import Plan
from rlm_kernel.engine.settings import Settings, terms_of
from rlm_kernel.errors import ConfigError, ContextMismatch, ContextMissing
from rlm_kernel.models import Model, RenamedModel, SilentModel, resolve
from rlm_kernel.repl.isolation import STRICTER
from rlm_kernel.repl.live import context_under
from rlm_kernel.repl.pack import Packed, pack_context
from rlm_kernel.repl.terms import Terms
from rlm_kernel.run.underway import new_id
from rlm_kernel.trace import Call, Derived, Mode, Origin, Original, RunStarted, Trace
from rlm_kernel.version import __version__

_NOT_LIMITS = ("trace_dir", "cache")
# Nor does a trace, which may be a stranger's, say what its code may do here.
WHERE = ("isolation", "memory_mb", "readable")
_NOT_INHERITED = ("step", *WHERE)


@dataclass(frozen=True, kw_only=True)
class Models:
    """Who answers rlm calls, and who plain requests."""

    model: Model
    sub_model: Model


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a caller says about the context: `value` is it, None to have it looked up; `other` allows another one than
    the recorded."""

    value: Any = None
    other: bool = False


class Again:
    """Makes jobs out of a record. `models` is None where nobody is known to answer (a trace from a file), `look_up`
    gives the context, None where it is not known any more. `own` are the settings of a run that was started here: what
    its code may do is then known from a person and not from a trace."""

    def __init__(
        self,
        trace: Trace,
        models: Models | None,
        look_up: Callable[[], Any] | None,
        own: Settings | None = None,
    ) -> None:
        self.trace = trace
        self.models = models
        self.own = own
        self.base_url: str | None = None
        self.look_up = look_up

    @property
    def started(self) -> RunStarted:
        """How the run began. Raises `ConfigError` while it has not."""
        started = self.trace.started
        if started is None or self.trace.root is None:
            raise ConfigError("the run has only just been started: wait for its first step", setting="run")
        return started

    @property
    def folder(self) -> Path | None:
        """Where the traces of new runs go: beside this one's."""
        return self.trace.path.parent if self.trace.path else None

    def record(self) -> Trace:
        """The trace, as far as there is one: that of a run under way stops where it is now."""
        return Trace(list(self.trace.events)) if self.trace.live else self.trace

    # Jobs

    def replay(self, given: Given, plan: Plan, where: Mapping[str, Any] | None = None) -> Job:
        """A job that asks no model; `where` are settings that say where its code runs. Raises `ConfigError`,
        `ContextError`."""
        for name in where or {}:
            if name not in WHERE:
                raise ConfigError(
                    f"a replay keeps to the limits of its run and takes no {name}: fork it for that",
                    setting=name,
                )
        silent = Models(
            model=SilentModel(self._answerer("model")), sub_model=SilentModel(self._answerer("sub_model"))
        )
        return self._job(silent, given, plan, self.origin("replay"), where or {})

    def fork(self, given: Given, plan: Plan, origin: Origin, limits: Mapping[str, Any]) -> Job:
        """A job that goes on with a model. Raises `ConfigError`, `ContextError`."""
        edit = plan.edit
        live = self.live(edit.model if edit else None)
        if edit is not None and edit.model is not None and edit.step.call.depth == 0:
            live = replace(live, **{"model" if edit.step.call.kind == "rlm" else "sub_model": edit.model})
        job = self._job(live, given, plan, origin, limits)
        if edit is None or edit.prompt is None or edit.step.call.depth:
            return job
        if job.prompt_is_context and job.context is not None:
            job.context.close()
            job = replace(job, context=pack_context(edit.prompt))
        return replace(job, query=edit.prompt)

    def alone(self, call: Call, edit: Mapping[str, Any], packed: Packed | None, *, plain: bool) -> Job:
        """A job that asks one call again, as a root of its own; `plain` says that its prompt is its context too."""
        kind, model = call.kind, edit.get("model")
        live = self.live(model)
        if model is not None:
            live = Models(model=model, sub_model=model if kind == "llm" else live.sub_model)
        recorded = self._settings({})
        changes = {
            name: edit[name] for name in ("temperature", "max_output_tokens") if edit.get(name) is not None
        }
        settings = replace(recorded, max_depth=max(0, recorded.max_depth - call.depth), **changes)
        names = (self._name("model"), self._name("sub_model"))
        terms = terms_of(settings)
        return Job(
            run_id=new_id(call.id.replace(".", "-")),
            query=edit.get("prompt") or call.prompt,
            context=packed,
            model=live.model,
            sub_model=live.sub_model,
            settings=settings,
            terms=terms,
            version=__version__,
            kind=kind,
            names=names,
            root_model=call.started.model if model is None else model.name,
            prompt_is_context=plain,
            origin=self.origin("rerun", call.id, told(edit), original_of(call)),
            seed=self.started.seed,
        )

    def live(self, instead: Model | None = None) -> Models:
        """Who answers from here on. Raises `ConfigError` where nobody does, unless there is one to do it `instead`."""
        if self.models is not None:
            return self.models
        try:
            return Models(model=self._resolved("model"), sub_model=self._resolved("sub_model"))
        except ConfigError:
            if instead is None:
                raise
            return Models(model=instead, sub_model=instead)

    def named(self, model: str | Model) -> Model:
        """The model that somebody wants instead of the run's. Raises `ConfigError`."""
        if not isinstance(model, str):
            return model
        if not model.strip():
            raise ConfigError("model= takes the name of a model", setting="model")
        own = self.models.model if self.models else None
        if own is not None and own.mode in ("live", "scripted") and model != "demo":
            return RenamedModel(own, model)
        return resolve(model, base_url=self.base_url)

    def context(self, given: Given, terms: Terms | None = None) -> Packed | None:
        """The context, for code that runs under those terms, checked by its hash where that was told. Raises
        `ContextMissing`, `ContextMismatch`."""
        terms = terms or Terms()
        card = self.started.context
        if card is None:
            return self._unasked(given, terms)
        value = given.value
        if value is None and self._prompt_is_context:
            value = self.started.query
        if value is None and self.look_up is not None:
            value = self.look_up()
        if value is None:
            raise ContextMissing(
                f"the run asked about {card.name!r} (a {card.type}), which is not kept with its trace: load it again and "
                "pass it as context=…",
                type_name=card.type,
            )
        packed = value if isinstance(value, Packed) else context_under(terms, value, card.name)
        if packed.card.hash != card.hash and not given.other:
            packed.close()
            raise ContextMismatch(
                f"this is not the context of the run: that was {_described(card)}, this is {_described(packed.card)}. "
                "Pass the recorded one, or other_context=True to go over this one on purpose.",
                type_name=packed.card.type,
            )
        return packed

    def _unasked(self, given: Given, terms: Terms) -> Packed | None:
        """The context that somebody gives to a run that had none."""
        if given.value is None:
            return None
        if not given.other:
            raise ContextMismatch(
                "the run had no context, so there is none to give it: leave context= out, or pass other_context=True to "
                "go over this one on purpose",
                type_name=type(given.value).__name__,
            )
        return context_under(terms, given.value)

    def _job(
        self, models: Models, given: Given, plan: Plan, origin: Origin, limits: Mapping[str, Any]
    ) -> Job:
        settings, then = self._settings(limits), self._settings({})
        terms = terms_of(settings)
        context = self.context(given, terms)
        recorded, root = self.started.context, self.trace.root
        assert root is not None  # or the run has not started
        if context is not None and (recorded is None or context.card.hash != recorded.hash):
            origin = replace(origin, edit={**origin.edit, "context": _described(context.card)})
        return Job(
            run_id=new_id(recorded.name if recorded else "run"),
            query=self.started.query,
            context=context,
            model=models.model,
            sub_model=models.sub_model,
            settings=settings,
            terms=terms,
            version=__version__,
            kind=root.kind,
            names=(self._name("model"), self._name("sub_model")),
            root_model=root.started.model,
            prompt_is_context=self._prompt_is_context,
            plan=plan,
            then=then,
            origin=origin,
            seed=self.started.seed,
        )

    def origin(
        self,
        kind: Derived,
        at: str = "",
        edit: dict[str, Any] | None = None,
        original: Original | None = None,
    ) -> Origin:
        """What the trace of a run made from this one says of that."""
        return Origin(kind=kind, run=self.started.run_id, at=at, edit=edit or {}, original=original)

    def _settings(self, limits: Mapping[str, Any]) -> Settings:
        known = [name for name in Settings.__dataclass_fields__ if name not in _NOT_LIMITS]
        for name in limits:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"there is no limit {name!r}; {hint}", setting=name)
        inherited = [name for name in known if name not in _NOT_INHERITED]
        recorded = {name: value for name, value in self.started.settings.items() if name in inherited}
        return Settings(**{**recorded, **self._place(), **limits})

    def _place(self) -> dict[str, Any]:
        """Where the code may run, and with what: as a person said here, but never unprotected without being asked again."""
        asked = self.started.settings.get("isolation")
        stricter = {"isolation": asked} if asked in STRICTER else {}
        if self.own is None:
            return stricter
        own = {name: getattr(self.own, name) for name in WHERE}
        return own if own["isolation"] != "inline" else {**own, "isolation": "auto"}

    def _name(self, which: str) -> str:
        root = self.trace.root
        name = self.started.settings.get(which)
        return name if isinstance(name, str) else root.started.model if root else ""

    def _answerer(self, which: str) -> str:
        """The name of the model that answered, where that is another one than what the code asked for."""
        by = self.started.settings.get("answered_by")
        name = by.get(which) if isinstance(by, dict) else None
        return name if isinstance(name, str) else self._name(which)

    def _resolved(self, which: str) -> Model:
        name, mode = self._answerer(which), self._first_mode()
        if mode in ("scripted", "human"):
            raise ConfigError(
                f"the replies of this run were {mode}, not a model's, and only the record has them: say who answers from "
                "here on with model=…",
                setting="model",
            )
        return resolve(name, base_url=self.base_url)

    def _first_mode(self) -> Mode:
        mode = self.started.mode
        if mode != "replayed":
            return mode
        turns = self.trace.root.turns if self.trace.root else []
        first = [turn.reply.first_mode or turn.reply.mode for turn in turns if turn.reply]
        return next((each for each in first if each != "human"), first[0] if first else mode)

    @property
    def _prompt_is_context(self) -> bool:
        """Whether the root was given a prompt and nothing else, as a child can be that is asked again alone."""
        card = self.started.context
        return card is not None and card.hash == text_hash(self.started.query)


def told(edit: Mapping[str, Any]) -> dict[str, Any]:
    """An edit as the trace keeps it: a model by its name."""
    out = {name: value for name, value in edit.items() if value is not None}
    if "model" in out:
        out["model"] = out["model"].name
    return out


def text_hash(text: str) -> str:
    """The hash of a text as a context."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def original_of(call: Call) -> Original:
    """What a call gave, for variants to be compared with; of a replayed one, what it used at first."""
    reply, usage = call.reply, call.total_usage
    return Original(
        prompt=call.prompt,
        model=call.model,
        answer=call.answer,
        usage=usage if usage.requests or reply is None else reply.usage,
        seconds=call.seconds,
        error=call.error,
    )


def _described(card: Any) -> str:
    facts = asdict(card)
    size = f" of length {facts['length']:,}" if facts["length"] is not None else ""
    return f"a {facts['type']}{size} (SHA-256 {facts['hash'][:12] or 'unknown'}…)"


__all__ = ["WHERE", "Again", "Given", "Models", "original_of", "text_hash", "told"]
