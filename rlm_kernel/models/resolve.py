"""From what a person writes after `model=` to a `Model`."""

from __future__ import annotations

import os
from importlib import import_module

from rlm_kernel.errors import ConfigError
from rlm_kernel.models.base import Model
from rlm_kernel.models.openai import OpenAIModel

DEMO = "demo"
NO_MODEL = (
    "no model is configured. Three ways out: "
    "(1) --model NAME with your key in OPENAI_API_KEY; "
    "(2) --model NAME --base-url URL for any OpenAI-compatible server (or OPENAI_BASE_URL); "
    "(3) --model demo, rules that need no key and are not a language model."
)


def resolve(
    model: str | Model | None, *, base_url: str | None = None, api_key: str | None = None, retries: int = 3
) -> Model:
    """The model of that name, or the model itself. Raises `ConfigError` when none can be reached."""
    if model is None or model == "":
        raise ConfigError(NO_MODEL, setting="model")
    if not isinstance(model, str):
        return model
    if model == DEMO:
        demo: Model = import_module("rlm_kernel.models.demo").DemoModel()  # its rules are slow to load
        return demo
    if not (base_url or api_key or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_KEY")):
        raise ConfigError(f"model {model!r} needs a key or a server; {NO_MODEL}", setting="model")
    return OpenAIModel(model, base_url=base_url, api_key=api_key, retries=retries)


__all__ = ["DEMO", "NO_MODEL", "resolve"]
