"""From what a person writes after `model=` to a model."""

from __future__ import annotations

import re

import pytest

from rlm_kernel.errors import ConfigError
from rlm_kernel.models import NO_MODEL, OpenAIModel, ScriptedModel, resolve


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_model_names_the_three_ways_out(nothing: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(nothing)
    assert caught.value.setting == "model"
    for way in ("(1) --model NAME with your key in OPENAI_API_KEY", "(2)", "--base-url", "(3) --model demo"):
        assert way in str(caught.value)


def test_a_name_without_key_or_server_names_them_too() -> None:
    with pytest.raises(ConfigError, match=re.escape(f"model 'small' needs a key or a server; {NO_MODEL}")):
        resolve("small")


def test_a_model_stays_itself() -> None:
    model = ScriptedModel([])
    assert resolve(model) is model


def test_demo_needs_nothing() -> None:
    model = resolve("demo")
    assert (model.name, model.mode) == ("demo", "demo")


@pytest.mark.parametrize("given", [{"base_url": "http://localhost:1/v1"}, {"api_key": "sk-x"}])
def test_a_key_or_a_server_is_enough(given: dict[str, str]) -> None:
    model = resolve("small", **given)
    assert isinstance(model, OpenAIModel)
    assert (model.name, model.mode) == ("small", "live")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OPENAI_API_KEY", "sk-x"), ("OPENAI_BASE_URL", "http://localhost:1/v1")],
)
def test_the_environment_is_enough(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    assert isinstance(resolve("small"), OpenAIModel)


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    model = resolve("small", base_url="http://localhost:2/v1", retries=7)
    assert isinstance(model, OpenAIModel)
    assert (model.origin, model.retries) == ("http://localhost:2", 7)
