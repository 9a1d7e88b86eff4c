"""Fault 87: a key that comes back in what a server says, in a header, in an exception, in what code prints."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from scripts import code, submit
from server import Answer, ChatServer, by_kind, chat, error

from rlm_kernel import RLM, Run
from rlm_kernel.errors import RLMError

KEY = "sk-fault87-Zx81mQ0pL4tR7"
REPEATS = f"Incorrect API key provided: {KEY}. Sent: {{'Authorization': 'Bearer {KEY}', 'api_key': '{KEY}'}}"
ECHO = {"x-request-id": KEY, "www-authenticate": f'Bearer error="{KEY}"', "retry-after-ms": "1"}


def everything_of(error_: BaseException) -> str:
    """All that an exception shows or holds, and those that it comes from."""
    told = "".join(traceback.format_exception(error_))
    seen: set[int] = set()
    stack: list[BaseException | None] = [error_]
    while stack:
        each = stack.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        told += f"{each} {each!r} {vars(each)!r} {each.args!r}"
        for held in vars(each).values():
            told += repr(getattr(held, "headers", "")) + repr(vars(held) if hasattr(held, "__dict__") else "")
        stack += [each.__cause__, each.__context__]
    return told


def everything_in(run: Run, folder: Path) -> str:
    """All that a run shows, and every file that it can be written to."""
    run.save(folder / "saved.rlm.jsonl")
    run.to_html(folder / "page.html")
    run.to_html(folder / "static.html", interactive=False)
    run.to_notebook(folder / "run.ipynb")
    files = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    shown = [repr(run), str(run), json.dumps(run._repr_mimebundle_()), repr(run.trace.events)]
    return "\n".join([*files, *shown])


ANSWERS = {
    "401": error(401, REPEATS, ECHO),
    "400": error(400, REPEATS, ECHO),
    "429": error(429, REPEATS, ECHO),
    "500": error(500, REPEATS, ECHO),
    "a web page": Answer(body=f"<html>{REPEATS}</html>".encode(), headers=ECHO),
    "a redirect": Answer(status=307, headers={"Location": f"http://127.0.0.1:9/v1?key={KEY}", **ECHO}),
    "a refusal": Answer(body=chat(None, message={"refusal": REPEATS}), headers=ECHO),
    "no HTTP": Answer(raw=f"{REPEATS}\r\n\r\n".encode()),
}


@pytest.mark.parametrize("at", ["root", "sub-call"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_f87_a_key_that_a_server_repeats_is_kept_nowhere(
    answer: Answer,
    at: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A key in an error text, in headers, in an exception."""
    asks = code("llm_query('a')")
    script = by_kind([asks, asks, submit("'done'")], answer) if at == "sub-call" else lambda body: answer
    with ChatServer(script) as server, caplog.at_level(logging.DEBUG):
        rlm = RLM(model="m", base_url=server.url, api_key=KEY, retries=1, trace_dir=tmp_path, pause_seconds=0)
        said = [repr(rlm), repr(vars(rlm)), repr(rlm.model)]
        try:
            run: Any = rlm.run("What?", context="x")
        except RLMError as caught:
            run = caught.run
            said.append(everything_of(caught))
        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    said.append(everything_in(run, tmp_path))
    said += [record.getMessage() + repr(vars(record)) for record in caplog.records]
    said += capfd.readouterr()
    assert caplog.records
    assert KEY not in "\n".join(said)


def test_f87_a_key_that_code_has_from_somewhere_is_kept_nowhere(tmp_path: Path) -> None:
    """A key that the model's code prints, asks with and answers."""
    steals = code(
        f"key = {KEY!r}", "print(key)", "got = llm_query('use ' + key)", "print({'key': [key, got]})"
    )
    ends = code("import sys", "print(key, file=sys.stderr)", "answer.update(content=key, ready=True)")
    with ChatServer(by_kind([steals, ends], lambda prompt: f"did: {prompt}")) as server:
        rlm = RLM(model="m", base_url=server.url, api_key=KEY, trace_dir=tmp_path)
        run = rlm.run("What?", context="x")
        assert not any(KEY in json.dumps(asked.body["messages"]) for asked in server.asked)
    assert run.answer == "[redacted]"
    assert KEY not in everything_in(run, tmp_path)
