"""Replies of identical requests, paid for once: across runs, across kernels, and never a run that fails for it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from server import Answer, ChatServer, chat, error

from rlm_kernel import RLM
from rlm_kernel.errors import BadReply, RateLimited
from rlm_kernel.models import Model, OpenAIModel, RenamedModel, Reply, Request, ScriptedModel
from rlm_kernel.models import replies as replies_module
from rlm_kernel.models.cache import CachedModel
from rlm_kernel.models.replies import FILE_NAME, ReplyCache
from rlm_kernel.trace import Message, ModelReplied, Usage

KEY = "sk-very-secret-0123456789"


def request(*said: str, **options: Any) -> Request:
    messages = tuple(Message(role="user", content=text) for text in said or ("Hello?",))
    return Request(messages=messages, model="asked", call_id="0", turn=1, kind="llm", **options)


def ask(model: Model, *requests: Request) -> list[Reply]:
    """The replies to requests made one after the other, by what stands for one run."""

    async def work() -> list[Reply]:
        try:
            return [await model.reply(each) for each in requests]
        finally:
            await model.close()

    return asyncio.run(work())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".rlm" / FILE_NAME


@pytest.fixture
def run(path: Path) -> Callable[..., list[Reply]]:
    """Makes requests as a run of its own, with the file that all of them share."""

    def make(model: Model, *requests: Request) -> list[Reply]:
        cache = ReplyCache(path)
        replies = ask(CachedModel(model, cache), *(requests or (request(),)))
        assert cache.warning == ""
        return replies

    return make


Run = Callable[..., list[Reply]]


def test_a_second_run_asks_nothing(run: Run) -> None:
    first = Reply(
        text="Hi \ud800 é",
        model="served",
        usage=Usage(requests=1, input_tokens=5, output_tokens=2, cost=0.25),
        reasoning="hm",
        retries=2,
    )
    model = ScriptedModel([first])
    assert run(model) == [first]
    assert run(model) == [
        replace(
            first, usage=replace(first.usage, requests=0), retries=0, mode="replayed", first_mode="scripted"
        )
    ]
    assert len(model.requests) == 1


def test_what_is_served_again_costs_nothing(run: Run) -> None:
    model = ScriptedModel(["a"])
    run(model)
    assert Usage.sum([run(model)[0].usage]) == Usage()


def test_it_is_the_model_that_it_stands_before() -> None:
    cached = CachedModel(ScriptedModel([], name="mine"), ReplyCache(Path("unused")))
    assert (cached.name, cached.mode) == ("mine", "scripted")


@pytest.mark.parametrize(
    "other",
    [
        request("Hello!"),
        request("Hello?", "Hello?"),
        request("Hello?\0user\0Hello?"),
        request(temperature=0.5),
        request(temperature=0),
        request(max_output_tokens=10),
        replace(request(), model="another"),
        replace(request(), messages=(Message(role="system", content="Hello?"),)),
    ],
)
def test_another_request_is_asked(run: Run, other: Request) -> None:
    model = ScriptedModel(["one", "two"])
    assert [reply.text for reply in (*run(model), *run(model, other))] == ["one", "two"]


def test_two_requests_of_one_hash_are_not_one_request(run: Run) -> None:
    spelt, two = request("Hello?\0user\0Hello?"), request("Hello?", "Hello?")
    assert spelt.hash == two.hash
    assert [reply.text for reply in (*run(ScriptedModel(["a"]), spelt), *run(ScriptedModel(["b"]), two))] == [
        "a",
        "b",
    ]


def test_who_asks_and_how_long_it_may_take_does_not_matter(run: Run) -> None:
    model = ScriptedModel(["one"])
    run(model)
    assert run(model, replace(request(), call_id="0.2.1", turn=3, kind="rlm", seconds=1.0))[0].text == "one"


def test_a_run_that_asks_the_same_thing_again_wants_another_reply(run: Run) -> None:
    model = ScriptedModel(["heads", "tails", "heads"])
    for _ in range(2):
        assert [reply.text for reply in run(model, *[request(temperature=1.0)] * 3)] == [
            "heads",
            "tails",
            "heads",
        ]
    assert len(model.requests) == 3


def test_identical_requests_under_way_at_once_are_all_asked(path: Path) -> None:
    model = ScriptedModel(["a", "b"])

    async def both() -> list[Reply]:
        cached = CachedModel(model, ReplyCache(path))
        replies = await asyncio.gather(cached.reply(request()), cached.reply(request()))
        await cached.close()
        return replies

    assert sorted(reply.text for reply in asyncio.run(both())) == ["a", "b"]
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="cut", model="m", finish_reason="length"),
        Reply(text="cut", model="m", finish_reason="content_filter"),
        Reply(text="from a record", model="m", mode="replayed", first_mode="live"),
        Reply(text="written", model="m", mode="human"),
    ],
    ids=lambda reply: reply.mode or reply.finish_reason,
)
def test_what_is_not_a_whole_reply_of_the_model_is_not_kept(run: Run, reply: Reply) -> None:
    model = ScriptedModel([reply, "asked again"])
    assert run(model)[0] == reply
    assert run(model)[0].text == "asked again"


def test_a_failure_is_not_kept(run: Run) -> None:
    model = ScriptedModel([RateLimited("slow down", model="m"), "asked again"])
    with pytest.raises(RateLimited):
        run(model)
    assert run(model)[0].text == "asked again"


def test_the_replies_of_one_model_are_not_another_s(run: Run) -> None:
    assert run(ScriptedModel(["one"], name="a"))[0].text == "one"
    assert run(ScriptedModel(["two"], name="b"))[0].text == "two"


def test_two_servers_and_two_paths_of_one_are_not_the_same(run: Run) -> None:
    with ChatServer(["one", "two", "three"]) as one, ChatServer(["four"]) as other:
        urls = [one.url, f"{one.origin}/other/v1", other.url]
        models = [OpenAIModel("asked", base_url=url) for url in urls]
        assert [run(model)[0].text for model in models] == ["one", "two", "four"]
        assert [run(model)[0].text for model in models] == ["one", "two", "four"]
        assert run(RenamedModel(models[1], "small"))[0].text == "two"
        assert len(one.asked) == 2


def test_over_http_the_second_run_asks_nothing_and_another_temperature_asks_again(run: Run) -> None:
    answer = chat("hello", finish_reason="stop", message={"reasoning_content": "thought"})
    with ChatServer([Answer(body=answer)] * 2) as server:

        def once(**options: Any) -> Reply:
            return run(OpenAIModel("asked", base_url=server.url, api_key=KEY), request(**options))[0]

        first, second = once(), once()
        assert (first.mode, second.mode, second.first_mode) == (None, "replayed", "live")
        assert (second.text, second.reasoning, second.model) == ("hello", "thought", "served")
        assert second.usage == Usage(requests=0, input_tokens=12, output_tokens=3)
        assert len(server.asked) == 1
        assert once(temperature=0.7).mode is None
        assert once(temperature=0.7).mode == "replayed"
        assert len(server.asked) == 2


def test_an_error_of_the_server_is_not_kept(run: Run) -> None:
    with ChatServer([error(400, "no"), "yes"]) as server:
        model = OpenAIModel("asked", base_url=server.url, retries=0)
        with pytest.raises(Exception, match="will not take the request"):
            run(model)
        assert run(model)[0].text == "yes"


def test_the_file_is_private_and_holds_no_key_and_no_question(run: Run, path: Path) -> None:
    with ChatServer(["the reply"]) as server:
        run(OpenAIModel("asked", base_url=f"{server.url}/tenant-4711", api_key=KEY), request("my question"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"
    held = path.read_bytes()
    assert b"the reply" in held
    assert not [
        secret for secret in (KEY, "tenant-4711", "my question", "127.0.0.1") if secret.encode() in held
    ]


RUN_TWICE = [
    "```repl\nparts = llm_query_batched([f'piece {n}' for n in range(context)])\n```",
    "```repl\nanswer['content'] = ', '.join(parts)\nanswer['ready'] = True\n```",
]


def test_a_whole_run_again_asks_nothing_and_says_so(path: Path) -> None:
    def go(replies: Sequence[str]) -> Any:
        model = ScriptedModel(replies, llm=lambda asked: asked.messages[0].content.upper())
        run = RLM(model=CachedModel(model, ReplyCache(path)), trace_dir=None).run("Shout", context=3)
        return run, len(model.requests)

    (first, asked), (second, asked_again) = go(RUN_TWICE), go([])
    assert first.answer == second.answer == "PIECE 0, PIECE 1, PIECE 2"
    assert (asked, asked_again) == (5, 0)
    replied = [event for event in second.trace.events if isinstance(event, ModelReplied)]
    assert {(event.mode, event.first_mode) for event in replied} == {("replayed", "scripted")}
    assert second.usage == Usage()


ONE_KERNEL = """
import asyncio, sys
from pathlib import Path
from rlm_kernel.models import Request, ScriptedModel
from rlm_kernel.models.cache import CachedModel
from rlm_kernel.models.replies import ReplyCache
from rlm_kernel.trace import Message

async def main(path, who):
    cache = ReplyCache(Path(path))
    model = CachedModel(ScriptedModel(lambda request: "reply to " + request.messages[0].content), cache)
    def ask(text):
        said = (Message(role="user", content=text),)
        return model.reply(Request(messages=said, model="m", call_id="0", turn=1, kind="llm"))
    replies = await asyncio.gather(*(ask(f"{kind} {n}") for n in range(50) for kind in ("shared", who)))
    await model.close()
    assert all(reply.text.startswith("reply to ") for reply in replies)
    sys.exit(cache.warning or 0)

asyncio.run(main(*sys.argv[1:]))
"""


def test_kernels_share_the_file_at_the_same_time(path: Path) -> None:
    kernels = [
        subprocess.Popen([sys.executable, "-c", ONE_KERNEL, str(path), f"kernel {n}"], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    assert [(kernel.communicate(timeout=60)[1], kernel.returncode) for kernel in kernels] == [(b"", 0)] * 4
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM replies").fetchone() == (250,)
    connection.close()


def without(path: Path) -> str:
    """The warning of a run that must go on without its cache."""
    cache = ReplyCache(path)
    model = ScriptedModel(["one", "two", "three"])
    asking = [request("a"), request("b"), request("a")]
    assert [reply.text for reply in ask(CachedModel(model, cache), *asking)] == ["one", "two", "three"]
    return cache.warning


def test_a_damaged_file_is_no_cache(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    assert without(path) == (
        "replies are not reused: file is not a database (.rlm/replies.sqlite). "
        "Nothing is lost; delete the file if it is damaged, or run without the cache."
    )
    assert path.read_bytes().startswith(b"no database")


def test_a_file_cut_off_in_its_middle_is_no_cache(run: Run, path: Path) -> None:
    run(ScriptedModel(lambda asked: "x" * 5000), *[request(str(n)) for n in range(50)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    warning = without(path)
    assert warning.startswith("replies are not reused: "), warning


def test_another_database_is_no_cache(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE replies (other INTEGER)")
    connection.close()
    assert without(path).startswith("replies are not reused: no such column: reply")


def test_a_place_that_cannot_be_written_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert without(tmp_path / "file" / "replies.sqlite").startswith("replies are not reused: ")
    (tmp_path / "folder").mkdir()
    assert without(tmp_path / "folder").startswith("replies are not reused: ")


def test_a_file_that_may_only_be_read_is_no_cache(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(ScriptedModel(["kept"]), request("other"))
    connect = sqlite3.connect

    def read_only(place: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"file:{place}?mode=ro", uri=True, **options)

    monkeypatch.setattr(
        sqlite3, "connect", read_only
    )  # modes do not bind the superuser, who may run this test
    assert without(path).startswith("replies are not reused: attempt to write a readonly database")


def test_a_locked_file_is_no_cache(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(ScriptedModel(["kept"]), request("other"))
    monkeypatch.setattr(replies_module, "LOCK_SECONDS", 0.2)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        started = time.monotonic()
        assert without(path).startswith("replies are not reused: database is locked")
        assert time.monotonic() - started < 5
    finally:
        connection.close()


@pytest.mark.parametrize(
    "row",
    [
        "no json",
        "[]",
        "{}",
        '{"type": "model_replied"}',
        '{"type": "run_finished", "status": "finished"}',
        b"bytes",
        5,
        "[" * 100_000,
    ],
    ids=lambda row: str(row)[:20],
)
def test_a_row_that_makes_no_sense_is_asked_for_again_and_replaced(run: Run, path: Path, row: object) -> None:
    run(ScriptedModel(["first"]))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE replies SET reply = ?", (row,))
    connection.close()
    assert run(ScriptedModel(["second"]))[0].text == "second"
    assert run(ScriptedModel([]))[0].text == "second"


def test_a_row_of_another_request_is_not_believed(run: Run, path: Path) -> None:
    run(ScriptedModel(["first"]))
    with sqlite3.connect(path) as connection:
        (text,) = connection.execute("SELECT reply FROM replies").fetchone()
        other = json.dumps({**json.loads(text), "request_hash": "other"})
        connection.execute("UPDATE replies SET reply = ?", (other,))
    connection.close()
    assert run(ScriptedModel(["second"]))[0].text == "second"


def test_the_cache_serves_again_after_it_was_closed(path: Path) -> None:
    cached = CachedModel(ScriptedModel(["one", "two"]), ReplyCache(path))
    assert [ask(cached, request(text))[0].text for text in "ab"] == ["one", "two"]
    assert [ask(CachedModel(ScriptedModel([]), cached.cache), request(text))[0].text for text in "ab"] == [
        "one",
        "two",
    ]


def test_the_loop_is_never_held_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = ReplyCache._read

    def reading(cache: ReplyCache, key: str) -> object:
        time.sleep(0.5)
        return slow(cache, key)

    monkeypatch.setattr(ReplyCache, "_read", reading)

    async def work() -> float:
        cached = CachedModel(ScriptedModel(["x"]), ReplyCache(path))
        asking = asyncio.ensure_future(cached.reply(request()))
        longest, last = 0.0, time.monotonic()
        while not asking.done():
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        await cached.close()
        assert asking.result().text == "x"
        return longest

    assert asyncio.run(work()) < 0.3


def test_a_bad_reply_of_the_script_stays_an_error(run: Run) -> None:
    with pytest.raises(BadReply, match="the script has 0 replies"):
        run(ScriptedModel([]))
