"""`%rlm` commands, registration, completion and help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from server import ChatServer

from rlm_kernel import Settings, unload_ipython_extension
from rlm_kernel.magic import find
from rlm_kernel.magic.magics import COMMANDS, RlmMagics

Serve = Callable[..., ChatServer]
DONE = "```repl\nprint('looking')\nanswer['content'] = 'yes'\nanswer['ready'] = True\n```"


def run(notebook: Any, serve: Serve, question: str = "Is it so?") -> Any:
    notebook.cell("papers = 'x'")
    notebook.cell(f"%%rlm papers -m small --base-url {serve([DONE]).url}\n{question}")
    return notebook.space["_"]


# Registration


def test_loading_twice_registers_once(notebook: Any) -> None:
    magics = find(notebook.shell)
    notebook.shell.extension_manager.loaded.clear()
    notebook.cell("%load_ext rlm_kernel")
    assert find(notebook.shell) is magics
    assert [type(item).__name__ for item in notebook.shell.configurables].count("RlmMagics") == 1
    assert len(notebook.shell.Completer.custom_matchers) == 1


def test_unloading_takes_everything_away(notebook: Any) -> None:
    notebook.cell("%unload_ext rlm_kernel")
    assert notebook.shell.find_cell_magic("rlm") is None
    assert notebook.shell.find_line_magic("rlm") is None
    assert notebook.shell.Completer.custom_matchers == []
    assert find(notebook.shell) is None


def test_unloading_what_is_not_loaded_does_nothing(bare: Any) -> None:
    unload_ipython_extension(bare.shell)
    assert bare.shell.find_cell_magic("rlm") is None


def test_it_can_be_loaded_again(notebook: Any, serve: Serve) -> None:
    notebook.cell("%unload_ext rlm_kernel")
    notebook.cell("%load_ext rlm_kernel")
    assert run(notebook, serve).answer == "yes"


def test_a_setting_in_the_config_file_counts(bare: Any) -> None:
    bare.shell.config.RlmMagics.max_turns = 7
    bare.cell("%load_ext rlm_kernel")
    assert find(bare.shell).max_turns == 7


# Commands


def test_without_a_command_the_help_is_shown(notebook: Any) -> None:
    assert notebook.output("%rlm") == notebook.output("%rlm help")


def test_help_names_every_command(notebook: Any) -> None:
    shown = notebook.output("%rlm help")
    assert [name for name in COMMANDS if f"%rlm {name}" not in shown] == []


def test_list_is_friendly_before_the_first_run(notebook: Any) -> None:
    assert notebook.output("%rlm list").startswith("No run yet.")


def test_list_names_the_runs_of_the_notebook(notebook: Any, serve: Serve) -> None:
    first = run(notebook, serve, "Is it\nso?")
    (line,) = notebook.output("%rlm list").splitlines()
    assert line == f"{first.id}  finished          1 call  Is it so?"


def test_list_names_the_traces_of_earlier_sessions(notebook: Any, serve: Serve) -> None:
    first = run(notebook, serve)
    find(notebook.shell).runs.clear()
    assert notebook.output("%rlm list") == f"{first.id}  on disk: %rlm show {first.id}\n"


def test_show_displays_a_run_again(notebook: Any, serve: Serve) -> None:
    first = run(notebook, serve)
    notebook.output(f"%rlm show {first.id}")
    assert notebook.displayed[1] == notebook.displayed[0]


def test_show_takes_the_beginning_of_an_id(notebook: Any, serve: Serve) -> None:
    run(notebook, serve)
    notebook.output("%rlm show papers-")
    assert len(notebook.displayed) == 2


def test_show_of_a_call_is_its_prompt_code_output_and_reply(notebook: Any, serve: Serve) -> None:
    shown = notebook.output(f"%rlm show {run(notebook, serve).id} 0")
    for part in ("Question:\nIs it so?", "print('looking')", "looking\n", "answer, from", "yes"):
        assert part in shown


def test_show_reads_a_trace_from_disk(notebook: Any, serve: Serve) -> None:
    first = run(notebook, serve)
    find(notebook.shell).runs.clear()
    notebook.output(f"%rlm show {first.id}")
    notebook.output(f"%rlm show {first.path}")
    assert notebook.displayed[1]["text/plain"] == notebook.displayed[0]["text/plain"]
    assert len(notebook.displayed) == 3


def test_models_lists_what_the_server_has(notebook: Any, serve: Serve) -> None:
    server = serve([], models=["small", "big"])
    notebook.cell(f"%config RlmMagics.base_url = '{server.url}'")
    shown = notebook.output("%rlm models")
    assert f"server     {server.origin}\n  big\n  small\n" in shown
    assert "demo       rules that need no key; not a language model" in shown


def test_models_without_a_server_names_the_ways_out(notebook: Any) -> None:
    assert "Three ways out" in notebook.output("%rlm models")


def test_models_of_a_server_that_is_down_is_one_line(notebook: Any) -> None:
    notebook.cell("%config RlmMagics.base_url = 'http://127.0.0.1:9/v1'")
    out, err = notebook.printed("%rlm models")
    assert "server     http://127.0.0.1:9" in out
    assert err.startswith("UsageError: no connection to http://127.0.0.1:9")
    assert err.count("\n") == 1


def test_config_shows_every_default(notebook: Any) -> None:
    notebook.cell("%config RlmMagics.max_depth = 1")
    shown = notebook.output("%rlm config")
    assert "max_depth        1 " in shown
    for name in find(notebook.shell).class_own_traits(config=True):
        assert f"{name} " in shown


def test_doctor_finds_this_machine_fit(notebook: Any, tmp_path: Path) -> None:
    lines = notebook.output("%rlm doctor").splitlines()
    assert any(
        line.startswith("ok  model code runs in a worker process of its own (isolation: ") for line in lines
    )
    assert f"ok  traces go to {tmp_path / '.rlm'}" in lines
    assert any(line.startswith("!!  no default model") for line in lines)


def test_doctor_shows_no_key(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:hidden@localhost:1/v1?key=hidden")
    shown = notebook.output("%rlm doctor")
    assert "OPENAI_API_KEY is set" in shown
    assert "localhost:1" in shown
    assert "hidden" not in shown


def test_doctor_says_when_traces_cannot_be_written(notebook: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    notebook.cell(f"%config RlmMagics.trace_dir = '{tmp_path / 'file'}'")
    assert "!!  traces cannot be written to" in notebook.output("%rlm doctor")


COMMAND_MISTAKES = {
    "%rlm lst": "there is no %rlm lst; did you mean %rlm list?",
    "%rlm zzz": "there is no %rlm zzz; there are list, show, models, config, help, doctor, replay, rerun, fork, resume, diff.",
    "%rlm show": "%rlm show takes the id of a run; %rlm list has them",
    "%rlm show nothing": "there is no run 'nothing'; %rlm list has them",
}


@pytest.mark.parametrize(("line", "said"), COMMAND_MISTAKES.items())
def test_a_mistake_is_one_line(line: str, said: str, notebook: Any) -> None:
    assert notebook.mistake(line) == said


def test_a_variable_in_a_line_magic_is_told_about_the_cell_magic(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    assert "To ask a question, begin the cell with %%rlm." in notebook.mistake("%rlm papers")


def test_a_call_that_is_not_there_names_those_that_are(notebook: Any, serve: Serve) -> None:
    said = notebook.mistake(f"%rlm show {run(notebook, serve).id} 0.9.9")
    assert said == "no call or turn '0.9.9' in this run; there are 0.1, …"


def test_a_file_that_is_no_trace_is_one_line(notebook: Any, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    assert "is not JSON" in notebook.mistake("%rlm show data.csv")


# Completion and help


def test_options_are_completed(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    assert notebook.completions("%%rlm papers --max-") == [
        "--max-calls",
        "--max-depth",
        "--max-errors",
        "--max-seconds",
        "--max-tokens",
        "--max-turns",
    ]


def test_variables_are_completed_and_only_those_that_hold_data(notebook: Any) -> None:
    notebook.cell("import json\npapers = 'x'\npages = 3\ndef pack(): pass")
    assert notebook.completions("%%rlm pa") == ["pages", "papers"]
    assert notebook.completions("%%rlm papers pag") == ["pages"]


def test_all_variables_are_offered_for_an_empty_word(notebook: Any) -> None:
    notebook.cell("import json\npapers = 'x'\npages = 3")
    assert notebook.completions("%%rlm ") == ["pages", "papers"]


def test_sub_commands_are_completed(notebook: Any) -> None:
    assert notebook.completions("%rlm mo") == ["models"]
    assert set(notebook.completions("%rlm ")) == set(COMMANDS)


def test_runs_are_completed_by_variable_and_by_id(notebook: Any, serve: Serve) -> None:
    made = notebook.space["mine"] = run(notebook, serve)
    assert notebook.completions("%rlm replay ") == ["mine", made.id]
    assert notebook.completions(f"%rlm diff mine {made.id[:6]}") == [made.id]


def test_the_list_says_which_run_was_made_from_which(notebook: Any, serve: Serve) -> None:
    made = run(notebook, serve)
    notebook.cell(f"%rlm replay {made.id}")
    assert f"Replay of {made.id}" in notebook.output("%rlm list")


def test_a_model_is_completed(notebook: Any) -> None:
    assert notebook.completions("%%rlm papers --model d") == ["demo"]


def test_a_cell_above_its_question_is_completed_too(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    assert notebook.completions("%%rlm pap\n\nWhich of them?", 9) == ["papers"]


@pytest.mark.parametrize(
    ("line", "text", "kind"),
    [
        ("%%rlm papers --max-d", "--max-depth", "option"),
        ("%%rlm pap", "papers", "variable"),
        ("%rlm mo", "models", "command"),
        ("%%rlm papers -m d", "demo", "model"),
        ("%%rlm papers --sub-model d", "demo", "model"),
    ],
)
def test_a_completion_says_what_it_is(line: str, text: str, kind: str, notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(line, len(line)))
    assert [(item.text, item.type) for item in found] == [(text, kind)]


def test_other_lines_are_completed_as_ever(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    assert "papers" in notebook.completions("pap")
    assert "--max-depth" not in notebook.completions("%%timeit --max-")


@pytest.mark.parametrize("cell", ["%%rlm?", "%rlm?"])
def test_a_question_mark_shows_the_manual(cell: str, notebook: Any) -> None:
    notebook.cell(cell)
    shown = notebook.displayed[-1]["text/plain"]
    assert "Ask a question about a live variable" in shown
    assert "--max-depth" in shown
    assert "%%rlm papers\n" in shown


def test_the_notebooks_defaults_are_those_of_python() -> None:
    own, python = RlmMagics.class_own_traits(config=True), Settings()
    shared = own.keys() & Settings.__dataclass_fields__
    lists = {name: list(getattr(python, name)) for name in ("readable",)}  # a configuration has no tuples
    defaults = {name: getattr(python, name) for name in shared} | lists
    assert {name: own[name].default() for name in shared} == defaults
    assert own.keys() - shared == {"model", "sub_model", "base_url", "inline_kb"}
