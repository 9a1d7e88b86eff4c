"""A key in the kernel's environment, and everything that tries to get it out: it is found nowhere afterwards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from server import Answer, ChatServer, chat, error
from test_kernel import Session, environment, turn, until

CANARY = "sk-canary-7Q2mZ81xT0pL4"
PASSWORD = "Zy9!canary$pw"
SPAN = 1.0
"""Seconds that a reply takes during which processes are looked at."""

HOSTILE = [
    turn("import os, sys\nprint(dict(os.environ), sys.argv, sys.orig_argv)"),
    turn("print(open('/proc/self/environ').read(), open('/proc/self/cmdline').read())"),
    turn("import os\nfor name in ('environ', 'cmdline'): print(open(f'/proc/{os.getppid()}/{name}').read())"),
    turn(
        "import traceback, sys\ntry: llm_query('refuse')\nexcept Exception: traceback.print_exc(file=sys.stdout)"
    ),
    turn("llm_query('refuse')"),
    turn("told = llm_query('echo')\nprint(told, repr(told), [told], {'key': told})\nraise ValueError(told)"),
    turn("kept = told\nprint(llm_query('Why ' + told), rlm_query('child ' + told))"),
    turn(
        "import gc, inspect\nprint([o for o in gc.get_objects() if isinstance(o, str) and 'can' + 'ary' in o][:9])"
    ),
    turn("print(llm_query('wait'))"),
    turn("answer['content'] = told\nanswer['ready'] = True"),
]
CHILD = turn("answer['content'] = context\nanswer['ready'] = True")


def script(body: dict[str, Any]) -> str | Answer:
    messages = body["messages"]
    if messages[0]["role"] == "system":
        if "child" in messages[1]["content"]:
            return CHILD
        return HOSTILE[sum(message["role"] == "assistant" for message in messages)]
    match messages[0]["content"]:
        case "refuse":
            return error(
                400, f"Incorrect API key provided: {CANARY}; headers: {{'Authorization': 'Bearer {CANARY}'}}"
            )
        case "wait":
            return Answer(body=chat("waited"), delay=SPAN)
    return f"your key is {CANARY} and your password {PASSWORD}"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A kernel that has secrets in its environment and logs all it can, to files."""
    environment(tmp_path, monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    command = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        "--ext",
        "rlm_kernel",
        "--debug",
    ]
    spec = {"argv": command, "display_name": "test", "language": "python"}
    folder = tmp_path / "kernels" / "test"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    manager = KernelManager(
        kernel_name="test", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    )
    with (tmp_path / "stdout.log").open("wb") as out, (tmp_path / "stderr.log").open("wb") as err:
        manager.start_kernel(cwd=str(tmp_path), stdout=out, stderr=err)
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        yield Session(manager, client)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        client.context.term()


def has_it(text: object) -> bool:
    told = text if isinstance(text, str) else json.dumps(text, default=str, ensure_ascii=False)
    return "canary" in told.replace("sk-canary-…", "")


def files_with_it(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def look_at_processes(session: Session, server: ChatServer) -> int:
    """How many processes there are below the kernel while its model thinks; none of them has the key."""

    def asked() -> bool:
        return any(each.body["messages"][0]["content"] == "wait" for each in server.asked)

    until(asked, 60)
    children = psutil.Process(session.pid).children(recursive=True)
    for child in children:
        assert not has_it(child.environ()), child
        assert not has_it(child.cmdline()), child
    return len(children)


def test_the_key_is_nowhere_after_everything_has_tried_to_get_it(session: Session, tmp_path: Path) -> None:
    logging = "import logging\nlogging.basicConfig(level=logging.DEBUG, filename='debug.log', force=True)"
    cells = [session.run(logging), session.run("papers = ['one', 'two']")]
    with ChatServer(script) as server:
        asking = session.begin(f"%%rlm papers -o run -m small --base-url {server.url} --max-errors 9\nWhich?")
        assert look_at_processes(session, server) > 0
        cells.append(session.finish(asking))
        assert cells[-1].reply["status"] == "ok", cells[-1].reply
        # The key is sent where it belongs, in the header, and nowhere else.
        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {CANARY}"}
        assert not any(has_it(asked.body) for asked in server.asked)
        lines = (
            "%rlm doctor", "%rlm show run", "%rlm list", "%rlm config", "%rlm models", "run", "print(run)", "run.calls",
            "print(vars(run.trace))", "run.save('a.rlm.jsonl'), run.to_html('b.html'), run.to_notebook('c.ipynb')",
            "run.to_html('d.html', interactive=False)", "run.replay(context=papers)", "run.diff(run.replay())",
        )  # fmt: skip
        cells += [session.run(line) for line in lines]
    for cell in cells:
        assert not has_it([cell.reply, cell.messages]), cell.messages[:2]
    assert session.value("run.answer") == "your key is [redacted] and your password [redacted]"
    assert session.value("[turn.number for turn in run['0'].turns]") == list(range(1, len(HOSTILE) + 1))
    session.run("get_ipython().history_manager.writeout_cache()")
    assert (tmp_path / "debug.log").stat().st_size > 0
    assert list(tmp_path.glob("ipython/**/history.sqlite"))
    assert len(list((tmp_path / ".rlm").glob("*.rlm.jsonl"))) == 3
    assert files_with_it(tmp_path) == []


def test_a_run_that_the_server_refuses_with_the_key_in_its_words(session: Session, tmp_path: Path) -> None:
    said = f"Incorrect API key provided: {CANARY}. You sent Authorization: Bearer {CANARY}."
    for status in (401, 400, 404, 429, 500):
        refused = error(status, said, {"x-request-id": CANARY, "www-authenticate": f"Bearer {CANARY}"})
        with ChatServer(lambda body: refused) as server:  # noqa: B023 - it is asked before the next one
            cell = session.run(f"%%rlm -o run -m small --base-url {server.url} --request-seconds 2\nWhich?")
            assert cell.reply["status"] == "error"
            later = session.run(
                "%tb\nimport sys\nprint(run.error, vars(getattr(sys, 'last_value', None) or run))"
            )
        assert not has_it([cell.reply, cell.messages, later.messages])
    assert files_with_it(tmp_path) == []


ON_THE_LINE = {
    "an option": "%%rlm --api-key {key}\nWhich?",
    "an option with =": "%%rlm --api_key={key} -m small\nWhich?",
    "another name": "%%rlm --token {key}\nWhich?",
    "a bare key": "%%rlm {key}\nWhich?",
    "a setting": "%config RlmMagics.api_key = '{key}'",
    "a password in the URL": "%%rlm -m small --base-url https://me:{key}@localhost/v1\nWhich?",
    "a query in the URL": "%%rlm -m small --base-url https://localhost/v1?key={key}\nWhich?",
    "a setting's URL": "%config RlmMagics.base_url = 'https://me:{key}@localhost/v1'",
    "a setting's query": "%config RlmMagics.base_url = 'https://localhost/v1?key={key}'",
    "a line": "%rlm models --api-key {key}",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        environment(folder, patch)
        patch.delenv("OPENAI_API_KEY", raising=False)
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(cwd=str(folder))
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        session = Session(manager, client)
        session.run("%load_ext rlm_kernel")
        yield session
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        client.context.term()


@pytest.mark.parametrize("key", ["sk-canary-7Q2mZ81xT0pL4", "canary0123456789"], ids=["sk-", "plain"])
@pytest.mark.parametrize("code", ON_THE_LINE.values(), ids=ON_THE_LINE)
def test_a_key_in_a_cell_is_refused_without_being_repeated(plain: Session, code: str, key: str) -> None:
    if code.startswith("%%rlm {key}") and not key.startswith("sk-"):
        return  # nothing tells it from a name
    cell = plain.run(code.format(key=key))
    told = json.dumps(
        [cell.reply, [each for each in cell.messages if each["msg_type"] != "execute_input"]], default=str
    )
    assert "OPENAI_API_KEY" in told
    assert "canary" not in told
    assert "canary" not in json.dumps(
        plain.value("repr(get_ipython().magics_manager.registry['RlmMagics'].base_url)")
    )
