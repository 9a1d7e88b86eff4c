"""Every mistake in a `%%rlm` cell is one clear line, and costs nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from server import ChatServer, error

from rlm_kernel.magic import find

Serve = Callable[..., ChatServer]
SECRET = "sk-very-secret-0123456789"
DONE = "```repl\nanswer['content'] = 'x'\nanswer['ready'] = True\n```"


@pytest.fixture
def server(serve: Serve) -> ChatServer:
    return serve(lambda body: DONE)


@pytest.fixture
def data(notebook: Any, server: ChatServer) -> Any:
    """A notebook with variables and a model."""
    notebook.cell("papers = ['one']; reviews = 'good'")
    notebook.cell(f"%config RlmMagics.model = 'small'\n%config RlmMagics.base_url = '{server.url}'")
    return notebook


def nothing_happened(notebook: Any, server: ChatServer) -> None:
    assert find(notebook.shell).runs == []
    assert notebook.displayed == []
    assert notebook.names == {"papers", "reviews"}
    assert notebook.space["papers"] == ["one"]
    assert server.asked == []


MISTAKES = {
    "a near name": ("%%rlm paper\nWhy?", ["there is no variable 'paper'.", "Did you mean papers?"]),
    "no near name": ("%%rlm zzz\nWhy?", ["there is no variable 'zzz'.", "There are: papers, reviews."]),
    "one of several": ("%%rlm papers review\nWhy?", ["'review'", "Did you mean reviews?"]),
    "no variable": ("%%rlm\nWhy?", ["name the variable to ask about", "There are: papers, reviews."]),
    "a blank question": ("%%rlm papers\n   \n\t\n", ["the question is empty"]),
    "an unexpanded name": (
        "%%rlm papers --model $MODELX\nWhy?",
        ["$MODELX is not a variable", "define MODELX"],
    ),
    "an unexpanded name in braces": ("%%rlm papers --model ${MODELX}\nWhy?", ["MODELX"]),
    "an unknown option": ("%%rlm papers --modle small\nWhy?", ["--modle"]),
    "a word for a number": ("%%rlm papers --max-turns many\nWhy?", ["--max-turns", "many"]),
    "a number too small": ("%%rlm papers --max-turns 0\nWhy?", ["max_turns must be more than 0, not 0"]),
    "a negative number": ("%%rlm papers --max-depth=-1\nWhy?", ["max_depth must be at least 0, not -1"]),
    "not a number at all": ("%%rlm papers --max-seconds nan\nWhy?", ["max_seconds must be more than 0"]),
    "an option without its value": ("%%rlm papers --model\nWhy?", ["--model", "expected one argument"]),
    "an open quote": ("%%rlm papers --model 'small\nWhy?", ["quot"]),
    "an out that is two words": ("%%rlm papers -o 'a b'\nWhy?", ["-o takes a variable's name, not 'a b'"]),
    "an out that is a number": ("%%rlm papers -o 1x\nWhy?", ["-o takes a variable's name, not '1x'"]),
    "an out that is a keyword": ("%%rlm papers -o class\nWhy?", ["-o takes a variable's name, not 'class'"]),
    "an out that is an attribute": ("%%rlm papers -o a.b\nWhy?", ["-o takes a variable's name, not 'a.b'"]),
    "a context that cannot move": (
        "%%rlm lock\nWhy?",
        ["a _thread.lock cannot be copied", "Pass what it holds"],
    ),
}


@pytest.mark.parametrize(("cell", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_asked(
    cell: str, words: list[str], data: Any, server: ChatServer
) -> None:
    if "lock" in cell:
        data.cell("import threading\nlock = threading.Lock()")
        data._first |= {"threading", "lock"}
    said = data.mistake(cell)
    assert [word for word in words if word not in said] == [], said
    nothing_happened(data, server)


def test_an_empty_cell_asks_for_a_question(data: Any, server: ChatServer) -> None:
    assert "%%rlm" in data.mistake("%%rlm papers")
    nothing_happened(data, server)


@pytest.mark.parametrize(
    "line",
    [
        f"papers --api-key {SECRET}",
        f"papers --api-key={SECRET}",
        f"papers --key {SECRET}",
        f"papers {SECRET}",
        f"papers --model {SECRET}",
        f"papers --model={SECRET}",
        f"papers OPENAI_API_KEY={SECRET}",
        f"papers --token {SECRET}",
    ],
)
def test_a_key_in_the_line_is_refused_and_not_repeated(line: str, data: Any, server: ChatServer) -> None:
    said = data.mistake(f"%%rlm {line}\nWhy?")
    assert "OPENAI_API_KEY" in said
    assert SECRET not in said
    nothing_happened(data, server)


def test_no_model_names_three_ways_out(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    said = notebook.mistake("%%rlm papers\nWhy?")
    assert "no model is configured. Three ways out: (1)" in said
    assert "(2)" in said
    assert "(3) --model demo" in said


def test_a_model_without_key_or_server_names_them_too(notebook: Any) -> None:
    notebook.cell("papers = 'x'")
    assert "Three ways out" in notebook.mistake("%%rlm papers --model small\nWhy?")


def test_without_any_variable_the_line_says_to_load_data(notebook: Any) -> None:
    assert "There is no variable yet: load your data first." in notebook.mistake("%%rlm papers\nWhy?")


def test_modules_and_functions_are_not_offered_as_data(notebook: Any) -> None:
    notebook.cell("import json\ndef f(): pass\nclass C: pass\npapers = 'x'")
    assert notebook.mistake("%%rlm zzz\nWhy?").endswith("There are: papers.")


# Mistakes that only the server can tell: the run is there, and says so.


def test_a_wrong_key(data: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    url = serve([error(401, "Incorrect API key provided: sk-very****6789.")]).url
    said = data.mistake(f"%%rlm papers -o run --base-url {url}\nWhy?")
    assert "rejected the key (401)" in said
    assert "Set OPENAI_API_KEY to a valid key." in said
    assert SECRET not in said
    assert data.space["run"].status == "failed"


def test_an_unknown_model(data: Any, serve: Serve) -> None:
    url = serve([error(404, "The model `smal` does not exist")]).url
    said = data.mistake(f"%%rlm papers -o run -m smal --base-url {url}\nWhy?")
    assert "has no model 'smal' (404)" in said
    assert "%rlm models" in said
    assert data.space["run"].status == "failed"


def test_a_server_that_is_down(data: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        started = time.monotonic()
        said = data.mistake(f"%%rlm papers -o run --base-url {url} --request-seconds 1\nWhy?")
    assert url.removesuffix("/v1") in said
    assert "server" in said
    assert time.monotonic() - started < 3
    assert data.space["run"].status == "failed"


def test_a_server_address_that_is_none(data: Any, server: ChatServer) -> None:
    said = data.mistake("%%rlm papers --base-url localhost:8000/v1\nWhy?")
    assert "http" in said
    assert server.asked == []


def test_the_notebook_goes_on_after_a_mistake(data: Any, server: ChatServer) -> None:
    data.mistake("%%rlm paper\nWhy?")
    assert data.cell("%%rlm papers\nWhy?").success
    assert data.space["_"].answer == "x"
