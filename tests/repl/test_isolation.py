"""What isolation a run gets: what was asked for, what the system gives, what the administrator says, and the proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts import ask, code
from workers import Worker

from rlm_kernel import RLM, Run, ScriptedModel, load
from rlm_kernel.errors import ConfigError, ReplError
from rlm_kernel.repl import bwrap, isolation
from rlm_kernel.repl.guard import guard
from rlm_kernel.repl.isolation import config_folders, obtain
from rlm_kernel.repl.terms import Terms

NO_LANDLOCK = "this kernel has no landlock"
MB = 2**20


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes an administrator's policy. Without one there is none, whatever this machine has."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(isolation, "config_folders", lambda: [tmp_path / "nothing", folder])

    def write(text: str) -> Path:
        (folder / "rlm_kernel.json").write_text(text)
        return folder / "rlm_kernel.json"

    return write


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that offers no guard."""
    monkeypatch.setattr(guard, "offered", lambda: NO_LANDLOCK)


def level(run: Run) -> str:
    """What the run says it obtained."""
    started = run.trace.started
    assert started is not None
    return started.isolation


def started(**options: Any) -> tuple[ScriptedModel, Callable[[], Run]]:
    """A model that has not been asked, and the run that would ask it."""
    model = ScriptedModel([code("FINAL(1)")])
    return model, lambda: RLM(model=model, trace_dir=None, **options).run("What?", context="text")


@pytest.mark.parametrize(("asked", "got"), [("auto", "guarded"), ("strict", "guarded"), ("worker", "worker")])
def test_what_is_obtained_is_what_the_run_says(asked: str, got: str) -> None:
    run, _ = ask(code("FINAL(1)"), isolation=asked)
    assert level(run) == got
    assert obtain(asked).isolation == got


@pytest.mark.parametrize("asked", ["auto", "strict"])
def test_guarded_code_may_read_what_is_installed_and_no_file_of_the_user(asked: str, tmp_path: Path) -> None:
    terms = obtain(asked)
    assert terms.guard
    assert terms.why == ""
    assert not any(str(tmp_path).startswith(path) for path in terms.readable)
    assert any(path.endswith("rlm_kernel") for path in terms.readable)


def test_who_asks_for_less_gets_less_and_the_reason() -> None:
    terms = obtain("worker")
    assert (terms.guard, terms.readable, terms.why) == (False, (), "it was asked for")


@pytest.mark.usefixtures("old_kernel")
def test_auto_takes_a_worker_where_there_is_no_guard_and_says_why() -> None:
    run, _ = ask(code("FINAL(1)"))
    assert level(run) == "worker"
    assert obtain("auto").why == NO_LANDLOCK


@pytest.mark.usefixtures("old_kernel")
@pytest.mark.parametrize("asked", ["strict", "bwrap"])
def test_what_this_system_cannot_give_is_refused_before_anything_is_asked(asked: str) -> None:
    model, run = started(isolation=asked)
    with pytest.raises(
        ConfigError, match=rf"--isolation {asked} needs: {NO_LANDLOCK}\. .*auto takes"
    ) as caught:
        run()
    assert caught.value.setting == "isolation"
    assert model.requests == []


def test_bwrap_is_refused_where_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "offered", lambda: "bubblewrap is not installed")
    with pytest.raises(ConfigError, match="bubblewrap is not installed"):
        obtain("bwrap")
    assert obtain("strict").isolation == "guarded"


@pytest.mark.parametrize("asked", ["", "none", "Strict", "kernel:", "docker"])
def test_a_level_that_does_not_exist_is_refused_with_those_that_do(asked: str) -> None:
    model, run = started(isolation=asked)
    with pytest.raises(ConfigError, match=r"choose auto, strict, worker, bwrap, inline or kernel:NAME"):
        run()
    assert model.requests == []


def test_a_kernel_that_is_not_installed_is_refused_before_anything_is_asked() -> None:
    model, run = started(isolation="kernel:nowhere")
    with pytest.raises(ConfigError, match="nowhere"):
        run()
    assert model.requests == []


def test_inline_is_only_what_is_asked_for() -> None:
    terms = obtain("inline")
    assert (terms.isolation, terms.guard, terms.why) == ("inline", False, "it was asked for")


class TestPolicy:
    @pytest.fixture(autouse=True)
    def forced(self, policy: Callable[[str], Path]) -> Path:
        return policy('{"isolation": "strict"}')

    def test_everybody_gets_a_guard(self) -> None:
        assert level(ask(code("FINAL(1)"))[0]) == "guarded"

    @pytest.mark.usefixtures("old_kernel")
    def test_or_nothing(self) -> None:
        model, run = started()
        with pytest.raises(ConfigError, match=f"--isolation strict needs: {NO_LANDLOCK}"):
            run()
        assert model.requests == []

    @pytest.mark.parametrize("asked", ["worker", "inline", "kernel:python3"])
    def test_nobody_gets_less(self, asked: str, forced: Path) -> None:
        model, run = started(isolation=asked)
        with pytest.raises(
            ConfigError, match=r"the administrator of this system allows no isolation"
        ) as caught:
            run()
        assert str(forced) in str(caught.value)
        assert "leave --isolation out" in str(caught.value)
        assert model.requests == []

    def test_more_may_be_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bwrap, "offered", lambda: "")
        assert obtain("bwrap").isolation == "bwrap"


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"isolation": "stict"}', '{"isolatoin": "strict"}', "[]", '{"isolation": "strict"', "\x00"],
)
def test_a_policy_that_says_something_else_is_an_error_and_not_ignored(
    policy: Callable[[str], Path], text: str
) -> None:
    path = policy(text)
    for asked in ("auto", "worker"):
        with pytest.raises(ConfigError, match=r"the policy in .*(cannot be read|makes no sense)") as caught:
            obtain(asked)
        assert str(path) in str(caught.value)


def test_a_policy_that_cannot_be_read_is_an_error(policy: Callable[[str], Path]) -> None:
    path = policy("")
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        obtain("auto")


def test_policies_are_read_where_users_do_not_write() -> None:
    assert Path("/etc/jupyter") in config_folders()
    assert not any(folder.is_relative_to(Path.home() / ".jupyter") for folder in config_folders())


class Holed(Terms):
    """Terms under which a worker is not locked as it should be: the hole is real, and found by its own probes."""

    def order(self, *args: Any, **options: Any) -> dict[str, Any]:
        return {**super().order(*args, **options), "readable": ["/"]}


def holed(terms: Terms) -> Holed:
    return Holed(**vars(terms))


@pytest.mark.parametrize("context", ["small", "large" * MB], ids=["small", "large"])
def test_nothing_runs_in_a_worker_that_can_do_more_than_was_promised(
    context: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.obtain", lambda *args, **options: holed(obtain(*args, **options)))
    worker = Worker(context)
    with pytest.raises(ReplError) as caught:
        worker.run("print('this must not run')")
    said = str(caught.value)
    assert "not guarded as this run promised (it can list the root folder" in said
    assert "nothing runs in it. --isolation worker runs without a guard, and says so." in said
    worker.close()


def test_a_run_whose_worker_cannot_prove_its_guard_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "rlm_kernel.engine.settings.obtain", lambda *args, **options: holed(obtain(*args, **options))
    )
    model = ScriptedModel([code("print('this must not run')"), code("FINAL(1)")])
    with pytest.raises(ReplError, match="not guarded as this run promised"):
        RLM(model=model, trace_dir=None).run("What?", context="text")


def test_a_worker_that_was_asked_for_need_not_prove_anything() -> None:
    worker = Worker("text", isolation="worker")
    assert worker.run("context").stdout == "'text'\n"
    worker.close()


def recorded(tmp_path: Path, **settings: Any) -> Run:
    """A trace from a file, whose settings somebody has written in."""
    rlm = RLM(model=ScriptedModel([code("FINAL(1)")]), trace_dir=tmp_path)
    path = rlm.run("What?", context="text").path
    assert path is not None
    first, *rest = path.read_text().splitlines()
    event = json.loads(first)
    event["settings"].update(settings)
    path.write_text("\n".join([json.dumps(event), *rest]) + "\n")
    return load(path)


@pytest.mark.parametrize("written", ["worker", "inline", "kernel:python3", "nonsense", 7, None])
def test_a_trace_does_not_say_that_its_code_runs_unguarded_here(tmp_path: Path, written: object) -> None:
    again = recorded(tmp_path, isolation=written, readable=["/"], memory_mb=10**6).replay(context="text")
    assert level(again) == "guarded"
    settings = again.trace.started.settings if again.trace.started else {}
    assert (settings["readable"], settings["memory_mb"]) == ([], None)


@pytest.mark.usefixtures("old_kernel")
def test_a_run_that_was_strict_is_strict_when_it_is_done_again(tmp_path: Path) -> None:
    run = recorded(tmp_path, isolation="strict")
    with pytest.raises(ConfigError, match=NO_LANDLOCK):
        run.replay(context="text")
