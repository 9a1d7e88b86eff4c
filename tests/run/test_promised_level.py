"""The isolation that a run shows is the one that its code has: what cannot be had is refused, what cannot be proved does
not run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripts import ask, code, submit

from rlm_kernel import RLM, ScriptedModel, load
from rlm_kernel.engine import settings
from rlm_kernel.errors import ConfigError, ReplError
from rlm_kernel.repl import isolation
from rlm_kernel.repl.guard import guard
from rlm_kernel.repl.isolation import POLICY_FILE, SAFE, obtain
from rlm_kernel.run import rlm as starting
from rlm_kernel.views import html_tree

guarded = pytest.mark.skipif(bool(guard.offered()), reason=f"no guard here: {guard.offered()}")


@guarded
@pytest.mark.parametrize("asked", ["auto", "strict"])
def test_the_level_that_is_shown_is_the_one_that_code_has(asked: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    reads = code(
        f"try: print(open({str(secret)!r}).read())", "except OSError as error: print(error.strerror)"
    )
    run, _ = ask(reads, submit("'ok'"), isolation=asked)
    started, executed = run.trace.started, run["0"].turns[0].blocks[0].executed
    assert started is not None and executed is not None
    assert (started.isolation, started.settings["isolation"]) == ("guarded", asked)
    assert executed.stdout == "Permission denied\n"
    assert "isolation: guarded" in html_tree(run.trace)


@guarded
def test_in_a_worker_that_cannot_prove_its_level_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run promises a guard, and the worker is started without one."""
    monkeypatch.setattr(
        starting, "terms_of", lambda options: replace(settings.terms_of(options), guard=False)
    )
    mark = tmp_path / "mark"
    with pytest.raises(ReplError, match="is not guarded as this run promised") as caught:
        ask(code(f"open({str(mark)!r}, 'w')"), submit("'ok'"))
    run: Any = caught.value.run
    assert run.status == "failed"
    assert [block for turn in run["0"].turns for block in turn.blocks if block.executed] == []
    assert not mark.exists()


def test_strict_is_an_error_where_there_is_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "offered", lambda: "this kernel is from another century")
    assert obtain("auto").isolation == "worker"
    model = ScriptedModel([submit("1")])
    for asked in ("strict", "bwrap"):
        with pytest.raises(ConfigError, match="from another century") as caught:
            RLM(model=model, trace_dir=None, isolation=asked).run("What?")
        assert caught.value.setting == "isolation"
    assert model.requests == []
    # What everybody gets says what it is not, and why.
    run, _ = ask(submit("'ok'"))
    assert run.trace.started is not None and run.trace.started.isolation == "worker"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which an administrator forces what is allowed."""
    monkeypatch.setattr(isolation, "config_folders", lambda: [tmp_path / "none", tmp_path])
    return tmp_path / POLICY_FILE


def test_an_administrator_forces_strict(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy.write_text('{"isolation": "strict"}')
    for asked in ("inline", "worker", "kernel:python3"):
        with pytest.raises(ConfigError, match="the administrator of this system allows no isolation"):
            obtain(asked)
    if not guard.offered():
        assert {obtain(asked).isolation for asked in ("auto", "strict")} <= set(SAFE)
    monkeypatch.setattr(guard, "offered", lambda: "no guard")
    with pytest.raises(ConfigError, match="no guard"):
        obtain("auto")


@pytest.mark.parametrize("text", ["", "{", '{"isolation": "stricter"}', '{"isolation": "worker"}', "[]"])
def test_a_policy_that_makes_no_sense_allows_nothing(policy: Path, text: str) -> None:
    policy.write_text(text)
    with pytest.raises(ConfigError, match="the policy in"):
        obtain("auto")


def test_a_strangers_trace_cannot_ask_for_less(tmp_path: Path) -> None:
    run, _ = ask(submit("'ok'"), context="x", trace_dir=tmp_path)
    assert run.path is not None
    lines = [json.loads(line) for line in run.path.read_text().splitlines()]
    lines[0]["settings"].update(isolation="inline", readable=["/"])
    lines[0]["isolation"] = "inline"
    run.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    started = load(run.path).replay(context="x").trace.started
    assert started is not None
    assert started.isolation == obtain("auto").isolation
    assert started.settings["readable"] == []
