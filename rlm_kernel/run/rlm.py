"""`RLM`: settings and a model, ready for questions."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import Any

from rlm_kernel.engine.engine import Job
from rlm_kernel.engine.settings import Settings, terms_of
from rlm_kernel.engine.thread import submit
from rlm_kernel.errors import ConfigError
from rlm_kernel.models import Model, resolve
from rlm_kernel.repl.live import context_under
from rlm_kernel.repl.repls import warm
from rlm_kernel.run.again import Models
from rlm_kernel.run.run import Run
from rlm_kernel.run.underway import Underway, new_id
from rlm_kernel.version import __version__


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
        return self.start(query, context=context, name=name).finish()

    async def arun(self, query: str, *, context: Any = None, name: str = "context") -> Run:
        """As `run`, for code that awaits. Cancelling the task stops the run."""
        run = await asyncio.to_thread(self.start, query, context=context, name=name)
        return await run.afinish()

    def start(self, query: str, *, context: Any = None, name: str = "context") -> Run:
        """A run that is under way. Raises `ConfigError` for an empty query, `ContextError` for a context that
        cannot be copied; nothing has been asked then."""
        if not query.strip():
            raise ConfigError("the question is empty: say what you want to know", setting="query")
        terms = terms_of(self.settings)
        submit(warm(terms))
        job = Job(
            run_id=new_id(name),
            query=query.strip(),
            context=None if context is None else context_under(terms, context, name),
            model=self.model,
            sub_model=self.sub_model,
            settings=self.settings,
            terms=terms,
            version=__version__,
        )
        underway = Underway(job, self.settings.trace_dir)
        return Run(
            underway.trace, underway, Models(model=self.model, sub_model=self.sub_model), lambda: context
        )

    def __repr__(self) -> str:
        return f"RLM(model={self.model.name!r}, sub_model={self.sub_model.name!r})"


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


__all__ = ["RLM"]
