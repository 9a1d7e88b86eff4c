"""`%%rlm` in a real kernel: what it sends while it runs, and what an interrupt or a kill leaves behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

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

    @property
    def idle(self) -> bool:
        return any(status["execution_state"] == "idle" for status in self.of("status"))


class Session:
    """A kernel with the extension loaded, and its client."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.pid: int = manager.provisioner.pid
        self.printed = ""
        self.comms: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._cells: dict[str, Cell] = {}

    def begin(self, code: str, cell_id: str = "") -> Cell:
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell_id})
        self.client.shell_channel.send(message)
        cell = Cell(message["header"]["msg_id"])
        self._cells[cell.id] = cell
        return cell

    def finish(self, cell: Cell) -> Cell:
        """The cell with its reply and all its messages."""
        cell.reply = self._reply(cell)
        self.until(lambda: cell.idle)
        return cell

    def run(self, code: str, cell_id: str = "") -> Cell:
        return self.finish(self.begin(code, cell_id))

    def until(self, true: Callable[[], bool], seconds: float = STARTED) -> float:
        """Takes what the kernel publishes until it is true; how many seconds that took."""
        started = time.monotonic()
        while not true():
            assert time.monotonic() - started < seconds, f"not within {seconds} s"
            with suppress(Empty):
                self._take(self.client.get_iopub_msg(timeout=0.05))
        return time.monotonic() - started

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            self.printed += content["text"]
        if message["msg_type"].startswith("comm_"):
            self.comms[content["comm_id"]].append(content["data"])
        if message["parent_header"].get("msg_id") in self._cells:
            self._cells[message["parent_header"]["msg_id"]].messages.append(message)

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

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """What the kernel's zygote has forked; the zygote itself lives as long as the kernel."""
        zygotes = psutil.Process(self.pid).children()
        return [worker for zygote in zygotes for worker in zygote.children(recursive=True)]

    def restart(self) -> None:
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)
        self.pid = self.manager.provisioner.pid

    def _reply(self, cell: Cell) -> dict[str, Any]:
        if cell.reply is not None:
            return cell.reply
        while True:
            message = self.client.get_shell_msg(timeout=STARTED)
            if message["parent_header"].get("msg_id") == cell.id:
                return message["content"]


class FrontEnd:
    """The other end of the channel, as JupyterLab has it: a comm in a subshell of its own."""

    def __init__(self, session: Session, version: str = "0.1.0") -> None:
        self._session = session
        self._asked = 0
        self._subshell = self._create_subshell()
        self.comm = uuid4().hex
        data = {"version": version, "protocol": 1}
        self._message("comm_open", comm_id=self.comm, target_name="rlm_kernel", data=data)
        session.until(lambda: bool(self.of("hello")))

    @property
    def received(self) -> list[dict[str, Any]]:
        return self._session.comms[self.comm]

    def of(self, op: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            message
            for message in self.received
            if message.get("op") == op and fields.items() <= message.items()
        ]

    def send(self, data: Any) -> None:
        self._message("comm_msg", comm_id=self.comm, data=data)

    def ask(self, op: str, run: str, **fields: Any) -> dict[str, Any]:
        """The reply."""
        self._asked += 1
        self.send({"op": op, "run": run, "ask": self._asked, **fields})
        self._session.until(lambda: bool(self.of("reply", ask=self._asked)))
        return self.of("reply", ask=self._asked)[0]

    def close(self) -> None:
        self._message("comm_close", comm_id=self.comm, data={})

    def running(self) -> str:
        """The id of the run that has begun since."""
        self._session.until(lambda: bool(self.of("run")))
        return str(self.of("run")[-1]["card"]["run"])

    def cards(self, run: str) -> list[dict[str, Any]]:
        """What it was told of that run, one after the other."""
        return [message["card"] for message in self.of("run") if message["card"]["run"] == run]

    def events(self, run: str) -> list[dict[str, Any]]:
        """The events of the run so far, which must have come once each and in order."""
        out: list[dict[str, Any]] = []
        for message in self.of("events", run=run):
            assert message["since"] == len(out)
            out += message["events"]
        assert [event["seq"] for event in out] == list(range(len(out)))
        return out

    def watch(self, run: str) -> None:
        self.send({"op": "watch", "run": run, "since": 0})

    def over(self, run: str) -> bool:
        """Whether the last message of the run has come."""
        return bool(self.of("events", run=run, live=False))

    def _create_subshell(self) -> str:
        client = self._session.client
        message = client.session.msg("create_subshell_request", {})
        client.control_channel.send(message)
        while True:
            reply = client.get_control_msg(timeout=STARTED)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return str(reply["content"]["subshell_id"])

    def _message(self, kind: str, **content: Any) -> None:
        message = self._session.client.session.msg(kind, content)
        message["header"]["subshell_id"] = self._subshell
        self._session.client.shell_channel.send(message)


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
    processes = session.processes()
    os.kill(session.pid, signal.SIGKILL)
    took = until(lambda: not any(map(alive, processes)), 2.0)
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
    processes = session.processes()
    session.manager.shutdown_kernel(now=True)
    until(lambda: not any(map(alive, processes)), 2.0)


# The channel: what a front end sees and does while the cell runs


@pytest.fixture
def front_end(session: Session) -> FrontEnd:
    return FrontEnd(session)


def begin(session: Session, server: ChatServer, requests: int, options: str = "", cell_id: str = "") -> Cell:
    """A cell whose run has asked the server that often."""
    session.run("papers = ['one']")
    cell = session.begin(question(server, options), cell_id)
    session.until(lambda: len(server.asked) == requests)
    return cell


def test_a_front_end_is_greeted_with_the_version_and_the_runs(session: Session, serve: Serve) -> None:
    session.run("papers = ['one']")
    session.run(question(serve([DONE])), cell_id="cell-1")
    (hello,) = FrontEnd(session).of("hello")
    card = {
        "run": session.value("run.id"),
        "cell": "cell-1",
        "status": "finished",
        "live": False,
        "origin": None,
    }
    assert hello == {"op": "hello", "version": rlm_kernel.__version__, "protocol": 1, "runs": [card]}


def test_a_run_streams_while_its_cell_runs(session: Session, serve: Serve, front_end: FrontEnd) -> None:
    cell = begin(session, serve([slow(turn("print(1)"), 0.2), slow(DONE, 1.5)]), 1, cell_id="cell-1")
    run = front_end.running()
    assert front_end.of("run")[0]["card"] == {
        "run": run,
        "cell": "cell-1",
        "status": "running",
        "live": True,
        "origin": None,
    }
    front_end.watch(run)
    session.until(lambda: "code_executed" in [event["type"] for event in front_end.events(run)])
    assert cell.reply is None and not cell.idle
    assert session.finish(cell).reply["status"] == "ok"
    session.until(lambda: front_end.over(run))
    assert front_end.events(run) == session.value(
        "[event for event in run._repr_mimebundle_()[list(run._repr_mimebundle_())[0]]['events']]"
    )
    assert front_end.of("run")[-1]["card"]["status"] == "finished"
    times = [message["now"] for message in front_end.of("events")]
    assert times == sorted(times) and times[-1] > 1.5


def test_a_run_is_replayed_for_the_front_end_while_another_cell_runs(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    server = serve([turn("print(llm_query('a'))"), "b", DONE])
    session.run("papers = ['one']")
    session.run(question(server))
    run = session.value("run.id")
    asked = len(server.asked)
    cell = session.begin("import time\ntime.sleep(3)")
    (made,) = front_end.ask("derive", run, kind="replay", at="", edit={})["runs"]
    session.until(lambda: bool(front_end.cards(made)) and front_end.cards(made)[-1]["status"] == "finished")
    assert cell.reply is None
    assert front_end.cards(made)[-1]["origin"] == {"kind": "replay", "run": run, "at": ""}
    assert len(server.asked) == asked
    session.finish(cell)
    assert session.value(f"__import__('rlm_kernel').load('.rlm/{made}.rlm.jsonl').status") == "finished"


def test_the_first_thing_a_cell_shows_names_its_run(session: Session, serve: Serve) -> None:
    session.run("papers = ['one']")
    cell = session.run(question(serve([slow(DONE, 0.5)])))
    (first,) = cell.of("display_data")
    data = first["data"]["application/vnd.rlm.trace+json"]
    assert (data["run"], data["live"]) == (session.value("run.id"), True)
    last = cell.of("update_display_data")[-1]["data"]["application/vnd.rlm.trace+json"]
    assert (last["run"], last["live"]) == (data["run"], False)


def test_a_cell_is_seldom_redrawn_when_the_front_end_draws_it(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    cell = begin(session, serve([slow(DONE, 2.0)]), 1)
    run = front_end.running()
    front_end.watch(run)
    session.until(lambda: bool(front_end.events(run)))
    before = len(cell.of("update_display_data"))
    assert session.finish(cell).reply["status"] == "ok"
    # One may be under way when the front end begins to watch, and one shows the end.
    assert len(cell.of("update_display_data")) <= before + 2


@pytest.mark.parametrize(
    "code", [None, WAITING, BUSY, STUBBORN, BATCH], ids=["model", "waiting", "busy", "stubborn", "batch"]
)
def test_stop_ends_the_cell_within_a_second_like_an_interrupt(
    code: str | None, session: Session, serve: Serve, front_end: FrontEnd, tmp_path: Path
) -> None:
    requests = {None: 1, BATCH: 51}.get(code, 2)
    cell = begin(session, situation(code, serve), requests)
    run = front_end.running()
    front_end.watch(run)
    started = time.monotonic()
    assert front_end.ask("stop", run)["ok"] is True
    session.finish(cell)
    assert time.monotonic() - started < 1.0
    assert (cell.reply["status"], cell.reply["ename"]) == ("error", "KeyboardInterrupt")
    session.until(lambda: front_end.over(run))
    assert front_end.events(run)[-1]["status"] == "interrupted"
    assert front_end.of("run")[-1]["card"]["status"] == "interrupted"
    assert "interrupted" in cell.of("update_display_data")[-1]["data"]["text/plain"]
    assert trace_of(tmp_path).status == "interrupted"
    until(lambda: not session.workers(), 1.0)


def test_stop_ends_a_run_of_plain_python_like_an_interrupt(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    url = situation(WAITING, serve).url
    cell = session.begin(
        f"import rlm_kernel\nrlm = rlm_kernel.RLM(model='small', base_url='{url}')\n"
        "run = rlm.run('Why?', context='x')\nwent_on = True",
        cell_id="cell-7",
    )
    run = front_end.running()
    assert front_end.of("run")[0]["card"]["cell"] == "cell-7"
    assert front_end.ask("stop", run)["ok"] is True
    assert session.finish(cell).reply["ename"] == "RunInterrupted"
    assert session.value("'went_on' in globals()") is False


def test_run_all_does_not_go_on_after_a_stop(session: Session, serve: Serve, front_end: FrontEnd) -> None:
    cell = begin(session, situation(None, serve), 1)
    after = session.begin("went_on = True")
    front_end.ask("stop", front_end.running())
    session.finish(cell)
    assert session.finish(after).reply["status"] == "aborted"


def test_answer_now_ends_the_cell_with_what_there_is(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    def llm(prompt: str) -> Answer:
        return slow("late", 60)

    cell = begin(session, serve(by_kind([turn(WAITING), "One, as far as I saw."], llm)), 2)
    run = front_end.running()
    front_end.watch(run)
    started = time.monotonic()
    assert front_end.ask("answer_now", run)["ok"] is True
    assert session.finish(cell).reply["status"] == "ok"
    print(f"answered after {time.monotonic() - started:.2f} s")
    assert session.value("[run.status, run.answer]") == ["exhausted", "One, as far as I saw."]
    session.until(lambda: front_end.over(run))
    assert front_end.of("run")[-1]["card"]["status"] == "exhausted"
    assert "error" in front_end.ask("answer_now", run)


def test_a_page_that_is_loaded_again_gets_everything_from_the_start(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    cell = begin(session, serve([turn("print(1)"), slow(DONE, 1.0)]), 2)
    run = front_end.running()
    front_end.watch(run)
    session.until(lambda: len(front_end.events(run)) >= 4)
    again = FrontEnd(session)
    assert [card["run"] for card in again.of("hello")[0]["runs"] if card["live"]] == [run]
    again.watch(run)
    session.until(lambda: len(again.events(run)) >= 4)
    assert not cell.idle
    session.finish(cell)
    session.until(lambda: front_end.over(run) and again.over(run))
    assert front_end.events(run) == again.events(run)


def test_what_is_long_is_cut_and_can_be_had_whole(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    session.run("papers = ['one']")
    session.run(question(serve([turn("print('x' * 9000)"), DONE])))
    run = session.value("run.id")
    front_end.watch(run)
    session.until(lambda: front_end.over(run))
    (code,) = [event for event in front_end.events(run) if event.get("turn") == 1 and "stdout" in event]
    assert "characters left out" in code["stdout"] and code["cut"] >= 1
    (whole,) = front_end.ask("whole", run, seqs=[code["seq"]])["events"]
    assert whole["stdout"] == "x" * 9000 + "\n" and "cut" not in whole


def test_a_front_end_gets_the_bundle_and_the_file(
    session: Session, serve: Serve, front_end: FrontEnd, tmp_path: Path
) -> None:
    session.run("papers = ['one']")
    cell = session.run(question(serve([DONE])))
    run = session.value("run.id")
    assert front_end.ask("bundle", run)["data"] == cell.of("update_display_data")[-1]["data"]
    (path,) = (tmp_path / ".rlm").glob("*.jsonl")
    assert front_end.ask("file", run)["text"] == path.read_text()


def test_two_runs_at_once_are_stopped_one_by_one(session: Session, serve: Serve, front_end: FrontEnd) -> None:
    url = serve(lambda body: slow(DONE, 60)).url
    session.run(
        f"import rlm_kernel, threading\nrlm = rlm_kernel.RLM(model='small', base_url='{url}', trace_dir=None)\n"
        "ran = {}\ndef ask(name): ran[name] = rlm.start(name, context=name).wait()\n"
        "threads = [threading.Thread(target=ask, args=(name,)) for name in ('one', 'two')]\n"
        "for thread in threads: thread.start()"
    )
    cell = session.begin("for thread in threads: thread.join()")
    session.until(lambda: len(front_end.of("run")) == 2)
    runs = [message["card"]["run"] for message in front_end.of("run")]
    for run in runs:
        front_end.watch(run)
    session.until(lambda: all(front_end.events(run) for run in runs))
    front_end.ask("stop", runs[0])
    session.until(lambda: front_end.over(runs[0]))
    assert not front_end.over(runs[1])
    front_end.ask("stop", runs[1])
    session.finish(cell)
    session.until(lambda: front_end.over(runs[1]))
    assert {front_end.events(run)[-1]["status"] for run in runs} == {"interrupted"}


def test_after_a_restart_a_run_is_read_from_its_file(session: Session, serve: Serve, tmp_path: Path) -> None:
    begin(session, situation(None, serve), 1)
    (path,) = (tmp_path / ".rlm").glob("*.jsonl")
    session.restart()
    front_end, run = FrontEnd(session), path.name.removesuffix(".rlm.jsonl")
    assert front_end.of("hello")[0]["runs"] == []
    front_end.watch(run)
    session.until(lambda: front_end.over(run))
    told = [event["type"] for event in front_end.events(run)]
    # A kernel that is shut down may still have said that its calls are interrupted.
    assert told[:3] == ["run_started", "call_started", "model_asked"]
    assert set(told[3:]) <= {"call_finished", "run_finished"}
    assert "interrupt the kernel" in front_end.ask("stop", run)["error"]


NAMES_OF_NO_RUN = ["nothing", "", "../secret", "/etc/passwd", ".rlm/run", "a\x00b", "x" * 5000]


@pytest.mark.parametrize("name", NAMES_OF_NO_RUN, ids=range(len(NAMES_OF_NO_RUN)))
def test_a_name_of_no_run_reaches_no_other_file(name: str, session: Session, tmp_path: Path) -> None:
    (tmp_path / "secret.rlm.jsonl").write_text("{}\n")
    front_end = FrontEnd(session)
    assert "has no run" in front_end.ask("file", name)["error"]
    front_end.watch(name)
    session.until(lambda: front_end.over(name))
    assert front_end.events(name) == []


MALFORMED: list[Any] = [
    None,
    [],
    "stop",
    {},
    {"op": 3},
    {"op": "watch"},
    {"op": "watch", "run": "x", "since": -1},
    {"op": "no"},
]


def test_what_is_no_message_is_ignored_or_refused(session: Session, front_end: FrontEnd) -> None:
    for data in MALFORMED:
        front_end.send(data)
    assert "update it" in front_end.ask("dance", "x")["error"]
    assert "'seqs'" in front_end.ask("whole", "x", seqs=["1"])["error"]
    assert {message["op"] for message in front_end.received} == {"hello", "reply"}
    assert session.printed == ""


def test_half_a_character_reaches_the_notebook_and_the_front_end(
    session: Session, serve: Serve, front_end: FrontEnd
) -> None:
    session.run("papers = ['one']")
    half = turn("print('half \\ud83d')\nanswer['content'] = 'half \\ud83d'\nanswer['ready'] = True")
    cell = session.run(question(serve([half])))
    assert cell.reply["status"] == "ok"
    run = session.value("run.id")
    front_end.watch(run)
    session.until(lambda: front_end.over(run))
    assert front_end.events(run)[-1]["answer"] == "half \\ud83d"
    assert cell.of("update_display_data")[-1]["data"]["application/vnd.rlm.trace+json"][
        "events"
    ] == front_end.events(run)


def test_doctor_names_the_extension_that_is_connected(session: Session) -> None:
    def doctor() -> str:
        return str(session.run("%rlm doctor").of("stream")[0]["text"])

    missing = "!!  no front end with the extension is connected"
    assert missing in doctor()
    front_ends = [FrontEnd(session, version="0.0.1"), FrontEnd(session, version="0.0.2")]
    assert "the extension in your browser is 0.0.2" in doctor()
    for front_end in front_ends:
        front_end.close()
    session.until(lambda: missing in doctor())


def test_a_thread_of_the_user_starts_a_run_like_a_cell(session: Session, serve: Serve) -> None:
    # ipykernel 7.0 does not know on such a thread which cell it belongs to.
    FrontEnd(session)
    session.run(
        f"import rlm_kernel, threading\nrlm = rlm_kernel.RLM(model='small', base_url='{serve([DONE]).url}')\n"
        "ran = []\nthread = threading.Thread(target=lambda: ran.append(rlm.run('Why?', context='x')))\n"
        "thread.start()\nthread.join()"
    )
    assert session.value("[run.status for run in ran]") == ["finished"]


def test_unloading_ends_the_channel(session: Session, front_end: FrontEnd) -> None:
    session.run("%unload_ext rlm_kernel")
    session.until(lambda: front_end.received[-1] == {})
    assert (
        session.value(
            "[thread.name for thread in __import__('threading').enumerate() if 'rlm' in thread.name]"
        )
        == []
    )


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
