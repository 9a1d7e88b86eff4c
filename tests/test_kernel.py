"""`%%rlm` in a real kernel: what it sends while it runs, and what an interrupt or a kill leaves behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from server import Answer, ChatServer, Script, by_kind, chat

import rlm_kernel
from rlm_kernel import Run, load

FORMATS = {"application/vnd.rlm.trace+json", "text/html", "text/plain"}
STARTED = 10.0
"""Seconds that something may take to begin on a busy machine; nothing waits for them to pass."""


@dataclass
class Cell:
    """A cell that was sent, and what has come of it so far."""

    id: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] | None = None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message["content"] for message in self.messages if message["msg_type"] == kind]


class Session:
    """A kernel with the extension loaded, and its client."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.pid: int = manager.provisioner.pid
        self.printed = ""

    def begin(self, code: str) -> Cell:
        return Cell(self.client.execute(code))

    def finish(self, cell: Cell) -> Cell:
        """The cell with its reply and all its messages."""
        cell.reply = self._reply(cell)
        idle = False
        while not idle:
            message = self.client.get_iopub_msg(timeout=STARTED)
            if message["msg_type"] == "stream":
                self.printed += message["content"]["text"]
            if message["parent_header"].get("msg_id") == cell.id:
                cell.messages.append(message)
                idle = message["content"].get("execution_state") == "idle"
        return cell

    def run(self, code: str) -> Cell:
        return self.finish(self.begin(code))

    def value(self, expression: str) -> Any:
        """A JSON-able value from the kernel."""
        cell = self.run(f"import json as _json\nprint(_json.dumps({expression}))")
        return json.loads(cell.of("stream")[0]["text"])

    def interrupt(self, cell: Cell) -> float:
        """Seconds from the interrupt to the end of the cell."""
        started = time.monotonic()
        self.manager.interrupt_kernel()
        cell.reply = self._reply(cell)
        return time.monotonic() - started

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def _reply(self, cell: Cell) -> dict[str, Any]:
        if cell.reply is not None:
            return cell.reply
        while True:
            message = self.client.get_shell_msg(timeout=STARTED)
            if message["parent_header"].get("msg_id") == cell.id:
                return message["content"]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    environment(tmp_path, monkeypatch)
    spec = {
        "argv": [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--ext",
            "rlm_kernel",
        ],
        "display_name": "test",
        "language": "python",
    }
    folder = tmp_path / "kernels" / "test"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    manager = KernelManager(kernel_name="test", kernel_spec_manager=specs)
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield Session(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    client.context.term()


def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(rlm_kernel.__file__).parents[1]
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ChatServer]]:
    servers: list[ChatServer] = []

    def start(script: Script) -> ChatServer:
        servers.append(ChatServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Serve = Callable[[Script], ChatServer]


def turn(code: str) -> str:
    return f"```repl\n{code}\n```"


DONE = turn("answer['content'] = str(len(context))\nanswer['ready'] = True")


def question(server: ChatServer, options: str = "") -> str:
    return f"%%rlm papers -o run -m small --base-url {server.url} {options}\nHow many are there?"


def until(true: Callable[[], bool], seconds: float = STARTED) -> float:
    """Seconds until it was true."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - started


def trace_of(folder: Path) -> Run:
    (path,) = (folder / ".rlm").glob("*.jsonl")
    return load(path)


def slow(text: str, delay: float) -> Answer:
    return Answer(body=chat(text), delay=delay)


# A run that ends by itself


def test_the_cell_grows_while_the_run_goes_on(session: Session, serve: Serve) -> None:
    server = serve([slow(DONE, 0.8)])
    session.run("papers = ['one', 'two']")
    cell = session.run(question(server))
    assert cell.reply["status"] == "ok"
    (first,) = cell.of("display_data")
    updates = cell.of("update_display_data")
    assert len(updates) >= 3
    shown = {message["transient"]["display_id"] for message in (first, *updates)}
    assert len(shown) == 1
    assert any("running" in update["data"]["text/plain"] for update in updates[:-1])
    assert set(updates[-1]["data"]) == FORMATS
    assert "Answer    2" in updates[-1]["data"]["text/plain"]
    assert not [message for message in (first, *updates) if "widget" in str(message["data"].keys())]


def test_what_the_models_code_writes_never_reaches_the_cell(session: Session, serve: Serve) -> None:
    noisy = turn(
        "import os, sys\nprint('aloud')\nprint('aloud', file=sys.stderr)\n"
        "os.write(1, b'aloud')\nos.write(2, b'aloud')\nos.system('echo aloud; echo aloud >&2')"
    )
    session.run("papers = 'x'")
    cell = session.run(question(serve([noisy, DONE])))
    assert cell.reply["status"] == "ok"
    assert cell.of("stream") == []
    assert "aloud" not in session.printed


def test_nothing_of_the_run_is_left_when_it_has_ended(session: Session, serve: Serve) -> None:
    session.run("papers = 'x'")
    server = serve(by_kind([turn("print(llm_query_batched(['a'] * 5))"), DONE], "x"))
    assert session.run(question(server)).reply["status"] == "ok"
    until(lambda: not session.workers(), 1.0)
    assert session.value("sorted(n for n in globals() if not n.startswith('_'))") == sorted(
        ["In", "Out", "exit", "get_ipython", "open", "papers", "quit", "run"]
    )


def test_ten_cells_leave_no_connection_and_no_complaint(session: Session, serve: Serve) -> None:
    server = serve(lambda body: DONE)
    session.run("papers = 'x'")
    for _ in range(10):
        assert session.run(question(server)).reply["status"] == "ok"
    session.run("import gc\n_ = gc.collect()")
    assert session.printed == ""
    until(lambda: len(server.sockets) <= 2, 2.0)


def test_a_thread_of_the_user_keeps_its_output_during_a_run(session: Session, serve: Serve) -> None:
    session.run("papers = 'x'")
    session.run(
        "import threading, time\n"
        "def tick():\n"
        "    for number in range(20):\n"
        "        print(f'tick {number}')\n"
        "        time.sleep(0.05)\n"
        "thread = threading.Thread(target=tick)\n"
        "thread.start()"
    )
    cell = session.run(question(serve([slow(turn("print('aloud')"), 0.3), slow(DONE, 0.3)])))
    session.run("thread.join()")
    assert cell.reply["status"] == "ok"
    assert session.printed.split("\n")[:20] == [f"tick {number}" for number in range(20)]
    assert "aloud" not in session.printed


def test_a_mistake_fails_the_cell_in_one_line(session: Session) -> None:
    cell = session.run("%%rlm papers\nWhy?")
    assert (cell.reply["status"], cell.reply["ename"]) == ("error", "UsageError")
    assert cell.reply["evalue"].count("\n") == 0


# An interrupt

WAITING = "llm_query('slow')"
BUSY = "llm_query('quick')\nwhile True: pass"
STUBBORN = (
    "llm_query('quick')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"
)
BATCH = "llm_query_batched([f'slow {n}' for n in range(50)])"
CHILD = "rlm_query('slow')"
ASLEEP = "llm_query('quick')\nimport time\ntime.sleep(60)"

SITUATIONS = {
    "while the model thinks": (None, 1),
    "in a sub-call": (WAITING, 2),
    "in a busy loop": (BUSY, 2),
    "in a loop that catches everything": (STUBBORN, 2),
    "asleep": (ASLEEP, 2),
    "in a batch of fifty": (BATCH, 51),
    "in a child with a namespace": (CHILD, 3),
}


def situation(code: str | None, serve: Serve) -> ChatServer:
    """A server that brings a run into that situation."""

    def llm(prompt: str) -> str | Answer:
        return "ok" if prompt == "quick" else slow("late", 60)

    return serve(by_kind([slow(DONE, 60) if code is None else turn(code)], llm))


@pytest.mark.parametrize(("code", "requests"), SITUATIONS.values(), ids=SITUATIONS)
def test_an_interrupt_ends_the_cell_at_once_and_keeps_the_run(
    code: str | None, requests: int, session: Session, serve: Serve, tmp_path: Path
) -> None:
    server = situation(code, serve)
    session.run("papers = ['one']")
    cell = session.begin(question(server))
    until(lambda: len(server.asked) == requests and bool(session.workers()))
    time.sleep(0.1)  # the last reply is on its way into the worker
    took = session.interrupt(cell)
    print(f"interrupted after {took:.2f} s")

    until(lambda: not session.workers(), 1.0)
    assert took < 0.5
    assert (cell.reply["status"], cell.reply["ename"]) == ("error", "KeyboardInterrupt")
    last = session.finish(cell).of("update_display_data")[-1]["data"]
    assert set(last) == FORMATS
    assert "interrupted" in last["text/plain"]
    assert session.value("[run.status, run['0'].status, papers]") == ["interrupted", "interrupted", ["one"]]
    assert trace_of(tmp_path).status == "interrupted"
    assert {call.status for call in trace_of(tmp_path).walk()} <= {"interrupted", "finished"}
    assert len(server.asked) == requests


def test_a_run_after_an_interrupt_works(session: Session, serve: Serve) -> None:
    server = situation(BATCH, serve)
    session.run("papers = ['one']")
    cell = session.begin(question(server))
    until(lambda: len(server.asked) == 51)
    session.interrupt(cell)
    session.finish(cell)
    assert session.run(question(serve([DONE]))).reply["status"] == "ok"
    assert session.value("run.answer") == "1"


def test_a_python_run_raises_an_interrupt_that_carries_it(session: Session, serve: Serve) -> None:
    server = situation(WAITING, serve)
    cell = session.begin(
        f"import rlm_kernel\nrlm = rlm_kernel.RLM(model='small', base_url='{server.url}')\n"
        "try:\n    rlm.run('Why?', context='x')\n"
        "except KeyboardInterrupt as error:\n    kept = error.run"
    )
    until(lambda: len(server.asked) == 2)
    assert session.interrupt(cell) < 1.5
    session.finish(cell)
    assert session.value("kept.status") == "interrupted"


# The kernel dies


@pytest.mark.parametrize(
    "code", [WAITING, BUSY, STUBBORN, CHILD], ids=["waiting", "busy", "stubborn", "child"]
)
def test_a_killed_kernel_leaves_a_readable_trace_and_no_process(
    code: str, session: Session, serve: Serve, tmp_path: Path
) -> None:
    requests = 3 if code is CHILD else 2
    server = situation(code, serve)
    session.run("papers = ['one']")
    session.begin(question(server))
    until(lambda: len(server.asked) == requests and bool(session.workers()))
    workers = session.workers()
    os.kill(session.pid, signal.SIGKILL)
    took = until(lambda: not any(alive(worker) for worker in workers), 2.0)
    print(f"gone after {took:.2f} s")
    run = trace_of(tmp_path)
    assert (run.status, run["0"].status) == ("cut off", "cut off")
    assert run["0"].turns[0].reply.text == turn(code)
    assert len(server.asked) == requests


def alive(process: psutil.Process) -> bool:
    # Where no init collects orphans a dead process stays as a zombie.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_kernel_that_is_shut_down_in_a_run_leaves_no_process(session: Session, serve: Serve) -> None:
    server = situation(BUSY, serve)
    session.run("papers = ['one']")
    session.begin(question(server))
    until(lambda: len(server.asked) == 2 and bool(session.workers()))
    workers = session.workers()
    session.manager.shutdown_kernel(now=True)
    until(lambda: not any(alive(worker) for worker in workers), 2.0)


# Without a person: nbclient


def execute(source: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    environment(tmp_path, monkeypatch)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in source])
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    return notebook


def test_a_headless_notebook_keeps_the_final_bundle(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_it = "%load_ext rlm_kernel\npapers = ['one', 'two']"
    notebook = execute([load_it, question(serve([slow(DONE, 0.3)]))], tmp_path, monkeypatch)
    (output,) = notebook.cells[1].outputs
    assert output.output_type == "display_data"
    assert set(output.data) == FORMATS
    assert "Answer    2" in output.data["text/plain"]
    assert "widgets" not in notebook.metadata
    nbformat.validate(notebook)


def test_a_headless_notebook_fails_where_the_run_fails(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Answer(status=400, body=b'{"error": {"message": "too long"}}')
    with pytest.raises(CellExecutionError, match="will not take the request"):
        execute(["%load_ext rlm_kernel\npapers = 'x'", question(serve([refused]))], tmp_path, monkeypatch)
