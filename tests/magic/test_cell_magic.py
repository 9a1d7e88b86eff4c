"""`%%rlm NAME`: a question about a live variable, asked over HTTP and answered by real code in a real worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from server import Answer, ChatServer, by_kind, error

from rlm_kernel import Run, load

Serve = Callable[..., ChatServer]
FORMATS = {"application/vnd.rlm.trace+json", "text/html", "text/plain"}


def turn(code: str) -> str:
    return f"```repl\n{code}\n```"


def answer(expression: str) -> str:
    return turn(f"answer['content'] = str({expression})\nanswer['ready'] = True")


LENGTH = answer("len(context)")


def test_the_question_is_answered_about_the_variable(notebook: Any, serve: Serve) -> None:
    server = serve([LENGTH])
    notebook.cell("papers = ['one', 'two', 'three']")
    result = notebook.cell(f"%%rlm papers -m small --base-url {server.url}\nHow many are there?\n")
    assert result.success
    assert notebook.space["_"].answer == "3"
    (asked,) = server.asked
    assert asked.body["model"] == "small"
    assert "Question:\nHow many are there?" in asked.body["messages"][1]["content"]


def test_the_run_is_displayed_once_in_three_formats_and_without_a_widget(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = ['one']")
    notebook.cell(f"%%rlm papers -m small --base-url {serve([LENGTH]).url}\nHow many?")
    (shown,) = notebook.displayed
    assert set(shown) == FORMATS
    assert "How many?" in shown["text/plain"]
    assert "Answer    1" in shown["text/plain"]


def test_underscore_is_the_run_and_nothing_else_is_new(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = ['one']")
    notebook.cell(f"%%rlm papers -m small --base-url {serve([LENGTH]).url}\nHow many?")
    assert isinstance(notebook.space["_"], Run)
    assert notebook.names == {"papers"}


def test_out_binds_the_run(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = ['one']")
    notebook.cell(f"%%rlm papers -o found -m small --base-url {serve([LENGTH]).url}\nHow many?")
    assert notebook.space["found"] is notebook.space["_"]
    assert notebook.names == {"papers", "found"}


def test_out_is_there_while_the_run_is_under_way(notebook: Any, serve: Serve) -> None:
    seen: list[object] = []

    def look(body: dict[str, Any]) -> str:
        seen.append(notebook.space.get("found"))
        return LENGTH

    notebook.cell("papers = ['one']")
    notebook.cell(f"%%rlm papers -o found -m small --base-url {serve(look).url}\nHow many?")
    assert seen == [notebook.space["found"]]
    assert isinstance(seen[0], Run)


def test_out_is_there_when_the_run_fails(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = ['one']")
    url = serve([turn("print(1)"), error(400, "too long")]).url
    said = notebook.mistake(f"%%rlm papers -o found -m small --base-url {url}\nHow many?")
    assert "will not take the request (400): too long. The tree above and its trace are kept." in said
    assert notebook.space["found"].status == "failed"
    assert len(notebook.space["found"]["0"].turns) == 2
    assert notebook.displayed[-1].keys() == FORMATS


def test_several_variables_are_a_dict_by_name(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = ['one', 'two']; reviews = 'good'")
    server = serve([answer("sorted((name, len(value)) for name, value in context.items())")])
    notebook.cell(f"%%rlm papers reviews -m small --base-url {server.url}\nHow many?")
    assert notebook.space["_"].answer == "[('papers', 2), ('reviews', 4)]"


def test_the_users_variables_stay_as_they_are(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = [{'title': 'one'}]; other = 1")
    spoil = turn("context[0]['title'] = 'spoiled'\ncontext.append(2)\nother = 2\nnew = 3\nprint(context)")
    server = serve([spoil, answer("(context, other)")])
    notebook.cell(f"%%rlm papers -m small --base-url {server.url}\nHow many?")
    assert notebook.space["_"].answer == "([{'title': 'spoiled'}, 2], 2)"
    assert notebook.space["papers"] == [{"title": "one"}]
    assert notebook.space["other"] == 1
    assert notebook.names == {"papers", "other"}


def test_what_the_code_prints_stays_in_the_tree(notebook: Any, serve: Serve) -> None:
    noisy = turn("import os, sys\nprint('aloud')\nprint('aloud', file=sys.stderr)\nos.write(1, b'aloud\\n')")
    notebook.cell("papers = 'x'")
    url = serve([noisy, LENGTH]).url
    assert notebook.printed(f"%%rlm papers -m small --base-url {url}\nHow many?") == ("", "")
    assert notebook.space["_"]["0"].turns[0].blocks[0].executed.stdout.count("aloud") == 2


def test_a_variable_of_a_function(notebook: Any, serve: Serve) -> None:
    notebook.space["url"] = serve([LENGTH]).url
    notebook.cell(
        "def look():\n"
        "    inner = 'four'\n"
        "    get_ipython().run_cell_magic('rlm', f'inner -m small --base-url {url}', 'How long?')\n"
        "look()"
    )
    assert notebook.space["_"].answer == "4"


def test_names_in_the_line_are_expanded(notebook: Any, serve: Serve) -> None:
    notebook.space.update(papers="x", name="small", url=serve([LENGTH]).url)
    notebook.cell("%%rlm papers --model $name --base-url {url}\nHow long?")
    assert notebook.space["_"].answer == "1"


def test_braces_and_dollars_in_the_question_stay_as_they_are(notebook: Any, serve: Serve) -> None:
    server = serve([LENGTH])
    notebook.space.update(papers="x", name="small")
    question = 'Is {"name": "$name"} in {papers}?'
    notebook.cell(f"%%rlm papers -m small --base-url {server.url}\n{question}")
    assert notebook.space["_"].query == question


def test_options_reach_the_run(notebook: Any, serve: Serve, tmp_path: Path) -> None:
    server = serve([LENGTH])
    notebook.cell("papers = 'x'")
    notebook.cell(
        f"%%rlm papers -m small --sub-model tiny --base-url {server.url} --max-turns 3 --max-calls 4 "
        "--max-depth 1 --max-tokens 50000 --max-seconds 60.5 --max-errors 4 --concurrency 2 --block-seconds 5 "
        "--request-seconds 6 --temperature 0.5 --trace-dir 'my traces'\nHow long?"
    )
    run = notebook.space["_"]
    wanted = {
        "model": "small",
        "sub_model": "tiny",
        "max_turns": 3,
        "max_calls": 4,
        "max_depth": 1,
        "max_tokens": 50_000,
        "max_seconds": 60.5,
        "max_errors": 4,
        "concurrency": 2,
        "block_seconds": 5.0,
        "request_seconds": 6.0,
        "temperature": 0.5,
    }
    assert run.trace.started.settings.items() >= wanted.items()
    assert server.asked[0].body["temperature"] == 0.5
    assert run.path.parent == tmp_path / "my traces"


def test_plain_sub_calls_go_to_the_sub_model(notebook: Any, serve: Serve) -> None:
    server = serve(by_kind([answer("llm_query('Which fruit?')")], "an apple"))
    notebook.cell("papers = 'x'")
    notebook.cell(f"%%rlm papers -m small --sub-model tiny --base-url {server.url}\nWhich?")
    assert notebook.space["_"].answer == "an apple"
    assert [asked.body["model"] for asked in server.asked] == ["small", "tiny"]


def test_config_sets_the_defaults_of_the_notebook(notebook: Any, serve: Serve) -> None:
    server = serve([LENGTH])
    notebook.cell("papers = 'x'")
    notebook.cell("%config RlmMagics.model = 'small'")
    notebook.cell(f"%config RlmMagics.base_url = '{server.url}'")
    notebook.cell("%config RlmMagics.max_depth = 1")
    notebook.cell("%%rlm papers --max-turns 4\nHow long?")
    settings = notebook.space["_"].trace.started.settings
    assert (settings["model"], settings["max_depth"], settings["max_turns"]) == ("small", 1, 4)


def test_an_option_wins_over_the_default(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = 'x'\n%config RlmMagics.max_depth = 1")
    notebook.cell(f"%%rlm papers -m small --max-depth 0 --base-url {serve([LENGTH]).url}\nHow long?")
    assert notebook.space["_"].trace.started.settings["max_depth"] == 0


def test_the_trace_is_on_disk(notebook: Any, serve: Serve, tmp_path: Path) -> None:
    notebook.cell("papers = 'x'")
    notebook.cell(f"%%rlm papers -m small --base-url {serve([LENGTH]).url}\nHow long?")
    run = notebook.space["_"]
    assert run.path.parent == tmp_path / ".rlm"
    assert load(run.path).answer == "1"


def test_a_run_out_of_turns_is_shown_as_exhausted(notebook: Any, serve: Serve) -> None:
    server = serve([turn("print(1)"), "I would say two."])
    notebook.cell("papers = 'x'")
    assert notebook.cell(f"%%rlm papers -m small --max-turns 1 --base-url {server.url}\nHow many?").success
    assert (notebook.space["_"].status, notebook.space["_"].answer) == ("exhausted", "I would say two.")


def test_a_run_without_an_answer_says_what_to_change(notebook: Any, serve: Serve) -> None:
    server = serve([turn("print(1)"), turn("print(2)")])
    notebook.cell("papers = 'x'")
    said = notebook.mistake(
        f"%%rlm papers -o found -m small --max-turns 1 --base-url {server.url}\nHow many?"
    )
    assert said.startswith("no answer: ")
    assert "Raise a limit (--max-turns, --max-calls, …)" in said
    assert notebook.space["found"].status == "failed"


def test_demo_needs_no_key_and_says_what_it_is(notebook: Any) -> None:
    notebook.cell("papers = 'Apples are red. Pears are green. Apples are sweet.'")
    assert notebook.cell("%%rlm papers --model demo\nHow often does the word Apples occur?").success
    assert "demo rules, not a language model" in notebook.displayed[-1]["text/plain"]


def test_a_second_run_does_not_touch_the_first(notebook: Any, serve: Serve) -> None:
    notebook.cell("papers = 'x'")
    for name, text in (("first", "1"), ("second", "2")):
        url = serve([answer(text)]).url
        notebook.cell(f"%%rlm papers -o {name} -m small --base-url {url}\nHow long?")
    assert [notebook.space[name].answer for name in ("first", "second")] == ["1", "2"]
    assert notebook.space["first"].id != notebook.space["second"].id


def test_a_server_that_fails_once_costs_a_retry(notebook: Any, serve: Serve) -> None:
    busy = Answer(status=503, headers={"retry-after-ms": "1"})
    notebook.cell("papers = 'x'")
    notebook.cell(f"%%rlm papers -m small --base-url {serve([busy, LENGTH]).url}\nHow long?")
    assert notebook.space["_"]["0"].turns[0].reply.retries == 1
