"""`cache=True`: identical requests of later runs are not paid for again, and their replies say where they come from."""

from __future__ import annotations

from pathlib import Path

from scripts import code, submit
from server import ChatServer

from rlm_kernel import RLM, Run, ScriptedModel

TURNS = [code("found = llm_query('Sum up: ' + context)"), submit("found")]


def run(server: ChatServer, folder: Path | None, **options: object) -> Run:
    settings = {"trace_dir": folder, "cache": True, **options}
    rlm = RLM(model="small", base_url=server.url, **settings)  # type: ignore[arg-type]
    return rlm.run("What is it?", context="a text")


def served(body: dict[str, object]) -> str:
    messages: list[dict[str, str]] = body["messages"]  # type: ignore[assignment]
    if messages[0]["role"] != "system":
        return "a summary"
    return TURNS[sum(message["role"] == "assistant" for message in messages)]


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    with ChatServer(served) as server:
        first = run(server, tmp_path)
        assert len(server.asked) == 3
        second = run(server, tmp_path)
        assert len(server.asked) == 3
    assert (second.answer, first.answer) == ("a summary", "a summary")
    replies = [call.reply for call in second.walk()]
    assert {(reply.mode, reply.first_mode) for reply in replies} == {("replayed", "live")}
    assert second.usage.requests == 0
    assert second.origin is None
    assert "3 replayed, 0 new" in str(second)


def test_another_temperature_is_another_request(tmp_path: Path) -> None:
    with ChatServer(served) as server:
        run(server, tmp_path)
        run(server, tmp_path, temperature=0.5)
        assert len(server.asked) == 6


def test_it_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    with ChatServer(served) as server:
        for _ in range(2):
            run(server, tmp_path, cache=False)
        assert len(server.asked) == 6
    assert not list(tmp_path.glob("*.sqlite"))


def test_where_no_traces_are_kept_there_is_no_cache_and_the_run_says_so() -> None:
    with ChatServer(served) as server:
        assert "replies are not reused" in run(server, None).trace.warning


def test_a_damaged_cache_costs_a_warning_and_no_run(tmp_path: Path) -> None:
    with ChatServer(served) as server:
        run(server, tmp_path)
        for file in tmp_path.glob("replies.sqlite*"):
            file.write_bytes(b"not a database" * 100)
        again = run(server, tmp_path)
    assert again.answer == "a summary"
    assert again.trace.warning
    assert len(server.asked) == 6


def test_scripted_replies_keep_their_label(tmp_path: Path) -> None:
    options = {"trace_dir": tmp_path, "cache": True}
    for _ in range(2):
        model = ScriptedModel(TURNS, llm=lambda request: "a summary")
        last = RLM(model=model, **options).run("What is it?", context="a text")  # type: ignore[arg-type]
    assert model.requests == []
    assert "scripted replies, not a model's" in str(last)
