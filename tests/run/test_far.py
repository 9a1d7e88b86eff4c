"""Whole runs whose code runs in kernels that jupyter_client starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from scripts import ask, code, submit

from rlm_kernel import RLM, ScriptedModel
from rlm_kernel.errors import ConfigError
from rlm_kernel.trace import RunStarted


@pytest.fixture(autouse=True)
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of the name `far`, on this machine."""
    folder = tmp_path / "kernels" / "far"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "far", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))


def test_a_run_and_its_children_work_in_kernels_of_their_own() -> None:
    run, _ = ask(
        code("notes = [llm_query(context), rlm_query('and you?', context=['a', 'b'])]", "print(notes)"),
        submit("' '.join(notes)"),
        child=lambda request: submit("f'{len(context)} there'"),
        context="here",
        isolation="kernel:far",
    )
    assert run.answer == "<here> 2 there"
    (started,) = (event for event in run.trace.events if isinstance(event, RunStarted))
    assert started.isolation == "kernel:far"


def test_a_run_goes_on_when_its_far_worker_is_lost() -> None:
    run, _ = ask(
        code("import os; os._exit(7)"), submit("context.upper()"), context="still", isolation="kernel:far"
    )
    assert run.answer == "STILL"


def test_a_kernel_that_is_not_there_is_refused_before_anything_is_asked() -> None:
    model = ScriptedModel([submit("1")])
    with pytest.raises(ConfigError, match=r"there is no kernel 'near'; installed for Python are: .*far"):
        RLM(model=model, isolation="kernel:near").run("What?", context="x")
    assert not model.requests
