"""`RLM` and `Run` from plain Python."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import ask, code, scripted, submit
from server import ChatServer, error

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.errors import ConfigError, ContextError, KeyRejected, ModelError, RunInterrupted, TraceError
from rlm_kernel.trace import Batch, Site


async def never(request: Request) -> str:
    await asyncio.sleep(600)
    return "late"


def slow_run(**options: object) -> tuple[Run, ScriptedModel]:
    """A run that is waiting for its batch of ten."""
    model = scripted(code("kept = 1", "print('begun')", "llm_query_batched(['x'] * 10)"), llm=never)
    run = RLM(model=model, **options).start("What?", context="text")  # type: ignore[arg-type]
    wait_for(lambda: len(model.requests) == 11)
    return run, model


def wait_for(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_run_says_what_it_found_and_what_it_took() -> None:
    run, _ = ask(
        code("parts = context.split()", "llm_query_batched(parts)"), submit("len(parts)"), context="a b c"
    )
    assert (run.status, run.answer, run.error) == ("finished", "3", None)
    assert [call.id for call in run.walk()] == ["0", "0.1.1", "0.1.2", "0.1.3"]
    assert run["0.1.2"].answer == "<b>"
    assert run["0.1.2"].batch == Batch(id="0.1.1", index=1, size=3)
    assert run["0.1.2"].site == Site(block=1, line=2, code="llm_query_batched(parts)")
    assert run.usage.requests == 5
    assert "✓ finished" in str(run)
    assert repr(run).startswith("<Run context-")


def test_calls_are_a_table_with_pandas_and_a_list_without(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = ask(code("llm_query('a')"), submit("1"))
    assert list(run.calls.index) == ["0", "0.1.1"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert [row["id"] for row in run.calls] == ["0", "0.1.1"]


def test_an_unknown_call_names_the_near_ones() -> None:
    run, _ = ask(code("llm_query('a')"), submit("1"))
    with pytest.raises(KeyError, match=r"no call or turn '0.1.2' in this run; there are 0.1.1"):
        run["0.1.2"]


def test_the_trace_is_written_as_it_happens_and_reads_back_the_same(tmp_path: Path) -> None:
    run, _ = ask(code("llm_query('a' * 5000)"), submit("'ok'"), trace_dir=tmp_path / "here")
    assert run.path == tmp_path / "here" / f"{run.id}.rlm.jsonl"
    again = rlm_kernel.load(run.path)
    assert again.trace.events == run.trace.events
    assert str(again) == str(run)


def test_saving_and_loading(tmp_path: Path) -> None:
    run, _ = ask(submit("'ok'"))
    assert run.path is None
    saved = run.save(tmp_path / "mine")
    assert saved == tmp_path / "mine.rlm.jsonl"
    assert rlm_kernel.load(saved).answer == "ok"
    page = run.to_html(tmp_path / "mine.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "scripted replies, not a model&#x27;s" in page


def test_loading_what_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace at"):
        rlm_kernel.load(tmp_path / "none.rlm.jsonl")


def test_await_works_from_a_running_loop_and_runs_go_side_by_side() -> None:
    async def several() -> list[str | None]:
        rlm = RLM(model=ScriptedModel(lambda request: submit("context")), trace_dir=None)
        runs = await asyncio.gather(*(rlm.arun("What?", context=str(number)) for number in range(4)))
        return [run.answer for run in runs]

    assert asyncio.run(several()) == ["0", "1", "2", "3"]


def test_cancelling_the_task_stops_the_run() -> None:
    model = scripted(code("llm_query('x')"), llm=never)

    async def cancel() -> None:
        task = asyncio.create_task(RLM(model=model, trace_dir=None).arun("What?", context="x"))
        await asyncio.to_thread(wait_for, lambda: len(model.requests) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())


def test_an_error_carries_the_run() -> None:
    with pytest.raises(KeyRejected, match="bad key") as caught:
        ask(code("x = 1"), KeyRejected("bad key", model="m", status=401))
    run = caught.value.run
    assert isinstance(run, Run)
    assert run.status == "failed"
    assert len(run["0"].turns) == 2
    assert str(run.error) == "KeyRejected: bad key"


def test_a_model_that_raises_anything_is_a_model_error() -> None:
    def broken(request: Request) -> str:
        raise ZeroDivisionError("oops")

    with pytest.raises(ModelError, match="ZeroDivisionError: oops"):
        RLM(model=ScriptedModel(broken), trace_dir=None).run("What?", context="x")


def test_stopping_keeps_the_work_and_ends_every_call() -> None:
    run, model = slow_run(trace_dir=None)
    started = time.monotonic()
    run.stop()
    assert time.monotonic() - started < 0.5
    assert run.status == run["0"].status == "interrupted"
    assert {run[f"0.1.{number}"].status for number in range(1, 11)} == {"interrupted"}
    block = run["0"].turns[0].blocks[0].executed
    assert block is not None
    assert (block.stdout, block.error.type if block.error else "") == ("begun\n", "Interrupted")
    assert len(model.requests) == 11
    assert run.wait().answer is None


def test_ctrl_c_raises_with_the_run(tmp_path: Path) -> None:
    model = scripted(code("llm_query('x')"), llm=never)

    def press() -> None:
        wait_for(lambda: len(model.requests) == 2)
        import signal

        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(RunInterrupted) as caught:
        RLM(model=model, trace_dir=tmp_path).run("What?", context="x")
    run = caught.value.run
    assert isinstance(run, Run)
    assert run.status == "interrupted"
    assert run.path is not None
    assert rlm_kernel.load(run.path).status == "interrupted"


def test_a_full_disk_or_a_closed_folder_does_not_end_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    run, _ = ask(submit("'ok'"), trace_dir=tmp_path / "file" / "traces")
    assert run.answer == "ok"
    assert "the trace is not saved" in run.trace.warning
    assert "Warning   the trace is not saved" in str(run)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RLM(), "no model is configured. Three ways out"),
        (lambda: RLM(model="gpt-5"), "needs a key or a server"),
        (
            lambda: RLM(model=ScriptedModel([]), max_turn=3),
            "there is no option 'max_turn'; did you mean max_turns?",
        ),
        (lambda: RLM(model=ScriptedModel([]), max_depth=-1), "max_depth must be at least 0"),
        (lambda: RLM(model=ScriptedModel([])).run("  ", context="x"), "the question is empty"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(call: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()  # type: ignore[operator]


def test_a_context_that_cannot_move_is_told_before_anything_is_asked() -> None:
    model = scripted(submit("1"))
    with pytest.raises(ContextError, match="Pass what it holds instead"):
        RLM(model=model, trace_dir=None).run("What?", context=threading.Lock())
    assert model.requests == []


def test_recursion_goes_to_any_depth() -> None:
    def child(request: Request) -> str:
        deeper = "rlm_query('deeper', context=context + 1)"
        return submit(f"{deeper} if context < 5 else 'bottom at ' + str(context)")

    run, _ = ask(code("r = rlm_query('go', context=1)"), submit("r"), child=child, max_depth=8)
    assert run.answer == "bottom at 5"
    assert max(call.depth for call in run.walk()) == 5
    assert run["0.1.1.1.1.1.1.1.1.1.1"].answer == "bottom at 5"


def test_at_the_depth_limit_a_child_becomes_a_plain_request_with_its_context_and_says_so() -> None:
    run, model = ask(code("r = rlm_query('How many?', context=['a', 'b'])"), submit("r"), max_depth=1)
    assert run["0.1.1"].kind == "llm"
    assert run["0.1.1"].started.depth_capped
    assert model.requests[1].messages[0].content == "How many?\n\nContext:\na\n\nb"
    assert "rlm_query at the depth limit: a plain request" in str(run)


def test_many_children_with_a_repl_each_are_no_more_at_once_than_set() -> None:
    run, _ = ask(
        code("r = rlm_query_batched(['q'] * 12, contexts=list(range(12)))"),
        submit("r"),
        child=lambda request: submit("context"),
        max_workers=3,
    )
    assert run.answer == str([str(number) for number in range(12)])


def test_children_run_at_the_same_time() -> None:
    arrived: list[str] = []
    everybody = asyncio.Event()

    async def child(request: Request) -> str:
        arrived.append(request.call_id)
        if len(arrived) == 3:
            everybody.set()
        await asyncio.wait_for(everybody.wait(), 10)  # no child goes on before all are there
        return submit("context")

    run, _ = ask(code("r = rlm_query_batched(['q'] * 3, contexts=['a', 'b', 'c'])"), submit("r"), child=child)
    assert run.answer == "['a', 'b', 'c']"


def test_no_code_is_told_and_after_too_many_such_turns_the_last_one_comes() -> None:
    run, model = ask("I think it is 4.", "Surely 4.", "It is 4.", max_errors=2)
    assert (run.status, run.answer, run["0"].how) == ("exhausted", "It is 4.", "plain text of the last turn")
    assert "Your reply has no code block" in model.requests[1].messages[-1].content


def test_a_limit_that_is_reached_before_the_first_turn_leaves_the_last_one() -> None:
    run, model = ask(submit("context.upper()"), max_tokens=1)
    assert (run.status, run.answer, len(model.requests)) == ("exhausted", "SOME TEXT", 1)


def test_a_table_and_a_figure_come_through_a_whole_run_and_back_from_its_file(tmp_path: Path) -> None:
    draw = code(
        "import matplotlib.pyplot as plt",
        "context.plot()",
        "plt.show()",
        "context",
    )
    frame = pd.DataFrame({"papers": [3, 5]}, index=[2024, 2025])
    run, model = ask(draw, submit("'seen'"), context=frame, trace_dir=tmp_path)
    block = run["0"].turns[0].blocks[0].executed
    assert block is not None
    assert (block.error, block.stdout) == (None, "      papers\n2024       3\n2025       5\n")
    table, figure = (output.data for output in block.outputs)
    assert json.loads(table["application/vnd.rlm.table+json"]) == {
        "columns": ["papers"],
        "rows": [["3"], ["5"]],
        "total_rows": 2,
        "total_columns": 1,
        "index": ["2024", "2025"],
    }
    assert base64.b64decode(figure["image/png"]).startswith(b"\x89PNG")
    assert run.path is not None
    assert rlm_kernel.load(run.path).trace.events == run.trace.events
    told = model.requests[1].messages[-1].content
    assert "2025       5" in told
    assert figure["image/png"][:40] not in told  # only printed text goes back to the model


def test_history_only_ever_grows_at_its_end() -> None:
    _, model = ask(code("a = 1"), code("b = 2"), submit("a + b"))
    for before, after in zip(model.requests, model.requests[1:], strict=False):
        assert after.messages[: len(before.messages)] == before.messages


def test_the_exact_messages_of_every_turn_are_in_the_trace() -> None:
    run, model = ask(code("a = 1"), code("b = 2"), submit("a + b"))
    for request in model.requests:
        assert run["0"].messages(request.turn) == list(request.messages)


def test_what_was_tried_again_is_shown() -> None:
    at_once = {"Retry-After": "0.01"}
    script = [error(500, "oops", at_once), error(429, "slow down", at_once), submit("'fine'")]
    with ChatServer(script) as server:
        run = RLM(model="m", base_url=server.url, trace_dir=None).run("What?", context="x")
    assert (run.answer, run["0"].retries) == ("fine", 2)
    assert "retried 2×" in str(run)
    assert "retried 2×" in run._repr_mimebundle_()["text/html"]


def test_a_sub_call_that_the_server_refuses_is_an_error_of_the_block_not_of_the_run() -> None:
    def script(body: dict[str, Any]) -> Any:
        messages = body["messages"]
        if messages[0]["role"] != "system":
            return error(400, "too long")
        return code("llm_query('x')") if len(messages) == 2 else submit("'went on'")

    with ChatServer(script) as server:
        run = RLM(model="m", base_url=server.url, trace_dir=None).run("What?", context="x")
    assert (run.answer, run["0.1.1"].status) == ("went on", "failed")
    assert "SubcallError: RequestRejected" in run["0"].messages(2)[-1].content
