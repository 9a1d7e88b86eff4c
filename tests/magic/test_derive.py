"""`%rlm replay`, `rerun`, `fork`, `resume`, `diff`, as lines and as cells whose body is the text that is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server import Answer, ChatServer, by_kind, error

from rlm_kernel import RLM, Run, ScriptedModel
from rlm_kernel.run import Variants

Serve = Callable[..., ChatServer]
FORMATS = {"application/vnd.rlm.trace+json", "text/html", "text/plain"}


def turn(code: str) -> str:
    return f"```repl\n{code}\n```"


def answer(expression: str) -> str:
    return turn(f"answer['content'] = str({expression})\nanswer['ready'] = True")


TURNS = [turn("a = llm_query('What?')\nprint(a)"), answer("a")]


@pytest.fixture
def asked(notebook: Any, serve: Serve) -> tuple[Any, ChatServer, str]:
    """A notebook with a run `first` of two turns and one sub-call; its server; the run's id."""
    server = serve(by_kind(TURNS, lambda prompt: f"<{prompt}>"))
    notebook.cell("papers = 'some text'")
    notebook.cell(f"%config RlmMagics.base_url = '{server.url}'")
    notebook.cell("%%rlm papers -o first -m small\nWhat is in it?")
    assert notebook.space["first"].answer == "<What?>"
    return notebook, server, notebook.space["first"].id


def bodies(server: ChatServer, since: int) -> list[tuple[str, str]]:
    """The model and the newest message of each request from there on."""
    return [(each.body["model"], each.body["messages"][-1]["content"]) for each in server.asked[since:]]


# Replay


def test_replay_asks_nobody_and_is_displayed_as_a_run(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, server, run_id = asked
    assert notebook.cell(f"%rlm replay {run_id}").success
    replay = notebook.space["_"]
    assert isinstance(replay, Run)
    assert (replay.answer, len(server.asked)) == ("<What?>", 3)
    assert (replay.origin.kind, replay.origin.run) == ("replay", run_id)
    assert set(notebook.displayed[-1]) == FORMATS


def test_a_run_is_named_by_its_id_its_beginning_its_variable_or_its_file(
    asked: tuple[Any, ChatServer, str],
) -> None:
    notebook, _, run_id = asked
    for name in (run_id, run_id[:-2], "first", f"'.rlm/{run_id}.rlm.jsonl'"):
        assert notebook.cell(f"%rlm replay {name} -o again").success, name
        assert notebook.space["again"].origin.run == run_id


def test_over_another_variable(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, _, run_id = asked
    notebook.cell("others = 'other text'")
    assert notebook.cell(f"%rlm replay {run_id} --context others -o again").success
    assert notebook.space["again"].origin.edit["context"].startswith("a str of length 10")


def test_a_variable_that_was_changed_since_is_told(notebook: Any, serve: Serve) -> None:
    server = serve([answer("len(context)")])
    notebook.cell("papers = ['one']")
    notebook.cell(f"%%rlm papers -m small --base-url {server.url} -o first\nHow many?")
    notebook.cell("papers.append('two')")
    said = notebook.mistake("%rlm replay first")
    assert said.startswith("this is not the context of the run: that was a list of length 1 ")


def test_after_a_restart_the_context_is_the_variable_of_that_name(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, _, run_id = asked
    magics = notebook.shell.magics_manager.registry["RlmMagics"]
    magics.runs.clear()
    del notebook.space["first"]
    path = f".rlm/{run_id}.rlm.jsonl"
    assert notebook.cell(f"%rlm replay {path} -o again").success
    assert notebook.space["again"].answer == "<What?>"
    notebook.cell("del papers")
    assert "asked about 'papers' (a str), which is not kept" in notebook.mistake(f"%rlm replay {path}")


# Fork


def test_a_hint_in_the_line(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, server, run_id = asked
    assert notebook.cell(f"%rlm fork {run_id} 0.2 --hint 'Be brief.' -o other").success
    assert bodies(server, 3) == [("small", "A hint from the user: Be brief.")]
    assert notebook.space["other"].origin.edit == {"hint": "Be brief."}
    assert notebook.space["_"] is notebook.space["other"]


def test_code_in_the_body_of_a_cell(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, server, run_id = asked
    body = "a = 'mine' + \"{x} $y\"\n\nprint(a)"
    assert notebook.cell(f"%%rlm fork {run_id} 0.1 --code\n{body}\n").success
    assert notebook.space["_"]["0.1"].code == body
    assert notebook.space["_"].answer == "mine{x} $y"
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("option", "body", "expected"),
    [
        ("--reply", answer("'replied'"), "replied"),
        ("--hint", "Two lines\nof it.", "<What?>"),
    ],
)
def test_other_texts_in_the_body(
    option: str, body: str, expected: str, asked: tuple[Any, ChatServer, str]
) -> None:
    notebook, _, run_id = asked
    assert notebook.cell(f"%%rlm fork {run_id} 0.2 {option}\n{body}").success
    assert notebook.space["_"].answer == expected
    assert notebook.space["_"].origin.edit == {option.lstrip("-"): body}


def test_a_prompt_a_model_and_limits(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, server, run_id = asked
    assert notebook.cell(f"%%rlm fork {run_id} 0.1.1 --max-turns 7 --prompt\nWhy?").success
    fork = notebook.space["_"]
    assert (fork["0.1.1"].prompt, fork.answer) == ("Why?", "<Why?>")
    assert fork.trace.started.settings["max_turns"] == 7
    assert notebook.cell(f"%rlm fork {run_id} 0.2 -m big").success
    assert [model for model, _ in bodies(server, 3)] == ["small", "small", "big"]


@pytest.mark.parametrize("command", ["replay {}", "fork {} 0.2 --hint Again."])
def test_inline_is_asked_for_each_time(asked: tuple[Any, ChatServer, str], command: str) -> None:
    notebook, _, run_id = asked
    command = command.format(run_id)
    assert notebook.cell(f"%rlm {command} --isolation inline").success
    inline = notebook.space["_"]
    assert inline.trace.started.isolation == "inline"
    assert "no protection" in notebook.displayed[-1]["text/plain"]
    assert notebook.cell(f"%rlm {command.replace(run_id, inline.id)}").success
    assert notebook.space["_"].trace.started.isolation != "inline"


# Rerun


def test_a_call_is_asked_again_beside_what_it_gave(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, server, run_id = asked
    assert notebook.cell(f"%rlm rerun {run_id} 0.1.1 -n 3 -m big --temperature 0.5 -o samples").success
    samples = notebook.space["samples"]
    assert isinstance(samples, Variants)
    assert (samples.answers, samples.agreement.same) == (["<What?>"] * 3, 3)
    assert [each.body.get("temperature") for each in server.asked[3:]] == [0.5] * 3
    assert {model for model, _ in bodies(server, 3)} == {"big"}
    assert "text/html" in notebook.displayed[-1]
    assert notebook.space["_"] is samples


def test_with_another_prompt_in_the_body(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, server, run_id = asked
    assert notebook.cell(f"%%rlm rerun {run_id} 0.1.1 --prompt\nWho?\nAnd why?\n").success
    assert notebook.space["_"].answers == ["<Who?\nAnd why?>"]
    assert len(server.asked) == 4


def test_when_no_sample_has_an_answer_that_is_the_error(notebook: Any, serve: Serve) -> None:
    def llm(prompt: str) -> str | Answer:
        return error(400, "too long") if prompt == "long" else "told"

    server = serve(by_kind(TURNS, llm))
    notebook.cell(f"papers = 'x'\n%config RlmMagics.base_url = '{server.url}'")
    notebook.cell("%%rlm papers -o first -m small\nWhat is in it?")
    assert "too long" in notebook.mistake("%rlm rerun first 0.1.1 --prompt long -o samples")
    assert notebook.space["samples"].answers == [None]


# Resume and diff


def test_a_run_goes_on_after_a_stop(notebook: Any, serve: Serve) -> None:
    async def never(request: Any) -> str:
        await asyncio.sleep(60)
        return "late"

    run = RLM(model=ScriptedModel(never)).start("What?", context="some text")
    while run.trace.root is None:
        pass
    run.stop()
    notebook.space["stopped"], notebook.space["context"] = run, "some text"
    server = serve([answer("len(context)")])
    notebook.cell(f"%config RlmMagics.base_url = '{server.url}'")
    del notebook.space["stopped"]
    path = f".rlm/{run.id}.rlm.jsonl"
    assert notebook.cell(f"%rlm resume {path} -m small -o done").success
    assert (notebook.space["done"].answer, notebook.space["done"].origin.kind) == ("9", "resume")


def test_a_finished_run_is_not_resumed(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, _, run_id = asked
    assert notebook.mistake(f"%rlm resume {run_id}").startswith("the run has finished: fork it at a step")


def test_two_runs_side_by_side(asked: tuple[Any, ChatServer, str]) -> None:
    notebook, _, run_id = asked
    notebook.cell(f"%rlm fork {run_id} 0.1.1 --reply mine -o other")
    assert notebook.cell(f"%rlm diff {run_id} other").success
    assert {"text/plain", "text/html"} <= set(notebook.displayed[-1])
    assert "mine" in notebook.displayed[-1]["text/plain"]


# Mistakes


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%rlm replay nothing", "there is no run 'nothing'; %rlm list has them"),
        ("%rlm replay RUNx", "there is no run 'RUNx'; did you mean RUN?"),
        ("%rlm fork RUN 0.9", "no call or turn '0.9' in this run; there are"),
        (
            "%rlm fork RUN 0.1 --code",
            "--code needs a text; a long one goes into the cell: %%rlm fork … --code",
        ),
        (
            "%%rlm fork RUN 0.1\na = 1",
            "the cell's body is one text: say which with --code or --reply or --hint",
        ),
        ("%%rlm fork RUN 0.1 --code --hint\na = 1", "the cell's body is one text: say which"),
        ("%%rlm replay RUN\na = 1", "the cell's body is one text: say which with nothing"),
        ("%%rlm fork RUN 0.1 --code\nfor", "the code does not parse, line 1"),
        ("%rlm fork RUN 0.1 --hint 'a", "No closing quotation: check the quotes"),
        ("%rlm rerun RUN 0.1", "0.1 is a turn: rerun a call (0), or fork the turn"),
        ("%rlm rerun RUN 0.1.1 -n 0", "n takes a number of samples from 1 to 100, not 0"),
        ("%rlm rerun RUN 0.1.1 -n many", "argument -n: invalid int value: 'many'"),
        ("%rlm fork RUN 0.1.1 --hint a", "0.1.1 is an llm call: hint= changes nothing there"),
        ("%rlm replay RUN --context nothing", "there is no variable 'nothing'."),
        ("%rlm replay RUN --model big", "unrecognized arguments: --model big"),
        ("%rlm replay", "the following arguments are required:"),
        ("%rlm replay RUN -o 3x", "-o takes a variable's name, not '3x'"),
    ],
)
def test_mistakes_are_one_line_and_ask_nobody(
    cell: str, said: str, asked: tuple[Any, ChatServer, str]
) -> None:
    notebook, server, run_id = asked
    told = notebook.mistake(cell.replace("RUN", run_id))
    assert told.startswith(said.replace("RUN", run_id)), told
    assert len(server.asked) == 3


def test_a_file_that_is_no_trace_and_one_of_another_version(
    asked: tuple[Any, ChatServer, str], tmp_path: Path
) -> None:
    notebook, _, run_id = asked
    Path("bad.rlm.jsonl").write_text("hello\n")
    assert notebook.mistake("%rlm replay bad.rlm.jsonl")
    text = Path(f".rlm/{run_id}.rlm.jsonl").read_text()
    Path("newer.rlm.jsonl").write_text(
        text.replace('"type":"run_started"', '"type":"run_started","format":9', 1)
    )
    assert "has trace format 9; this rlm_kernel reads up to 1" in notebook.mistake(
        "%rlm fork newer.rlm.jsonl 0.1"
    )


def test_words_that_are_variables_are_a_question_about_them(notebook: Any, serve: Serve) -> None:
    server = serve([answer("len(context)")])
    notebook.cell("fork = 'four'")
    notebook.cell(f"%%rlm fork -m small --base-url {server.url}\nHow long?")
    assert notebook.space["_"].answer == "4"
