"""`run.fork()`: the same up to a step, changed there, and live from there on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import divergences, story
from scripts import ask, code, scripted, submit
from server import ChatServer, by_kind

import rlm_kernel
from rlm_kernel import RLM, Request, Run, ScriptedModel
from rlm_kernel.errors import ConfigError, ContextMissing, NotReached, UnknownStep
from rlm_kernel.trace import Trace

TWO_BLOCKS = code("a = 1") + "\nand then\n" + code("b = llm_query('b')")


def with_model(run: Run, model: ScriptedModel, context: Any = "some text") -> Run:
    """The run with another model to go on with."""
    return Run(Trace(run.trace.events)).answer_with(model).look_up_context(lambda: context)


def asked(model: ScriptedModel) -> list[tuple[str, int]]:
    """Which calls asked the model, at which turn."""
    return [(request.call_id, request.turn) for request in model.requests]


def sent(model: ScriptedModel) -> list[str]:
    """The messages of the last request of the root, without the system's."""
    request = [request for request in model.requests if request.call_id == "0"][-1]
    return [message.content for message in request.messages[1:]]


def modes(run: Run) -> dict[str, list[str]]:
    """Where the replies of each call come from."""
    return {call.id: [turn.reply.mode for turn in call.turns if turn.reply] for call in run.walk()}


@pytest.fixture
def run() -> Run:
    """Three turns: two parts are asked, then joined."""
    run, _ = ask(
        code("parts = [llm_query(word) for word in context.split()]"),
        code("joined = '+'.join(parts)", "print(joined)"),
        submit("joined"),
    )
    return run


# At a turn


def test_without_a_change_the_model_is_asked_again(run: Run) -> None:
    model = scripted("", "", submit("joined.upper()"))
    fork = with_model(run, model).fork("0.3")
    assert (fork.answer, asked(model)) == ("<SOME>+<TEXT>", [("0", 3)])
    assert modes(fork) == {
        "0": ["replayed", "replayed", "scripted"],
        "0.1.1": ["replayed"],
        "0.1.2": ["replayed"],
    }
    assert fork.usage.requests == 1
    assert (fork.origin.kind, fork.origin.run, fork.origin.at, fork.origin.edit) == (
        "fork",
        run.id,
        "0.3",
        {},
    )


def test_other_code_runs_in_its_place_and_the_model_sees_it(run: Run) -> None:
    model = scripted("", "", submit("joined"))
    fork = with_model(run, model).fork("0.2", code="joined = '/'.join(parts)\nprint(joined)")
    assert fork.answer == "<some>/<text>"
    assert asked(model) == [("0", 3)]
    assert modes(fork)["0"] == ["replayed", "human", "scripted"]
    assert "```repl\njoined = '/'.join(parts)\nprint(joined)\n```" in sent(model)[-2]
    assert "<some>/<text>" in sent(model)[-1]
    assert fork.origin.edit == {"code": "joined = '/'.join(parts)\nprint(joined)"}
    assert divergences(fork) == []


def test_another_reply_is_taken_for_the_model_s(run: Run) -> None:
    model = scripted()
    fork = with_model(run, model).fork("0.2", reply="I know.\n" + submit("len(parts)"))
    assert (fork.answer, asked(model)) == ("2", [])
    assert fork["0.2"].reply.text.startswith("I know.")
    assert modes(fork)["0"] == ["replayed", "human"]


def test_a_hint_is_told_to_the_model_before_it_replies(run: Run) -> None:
    model = scripted("", submit("'hinted'"))
    fork = with_model(run, model).fork("0.2", hint="Join them with a dash.")
    assert (fork.answer, asked(model)) == ("hinted", [("0", 2)])
    assert sent(model)[-1] == "A hint from the user: Join them with a dash."
    assert fork["0.2"].messages(2)[-1].content == sent(model)[-1]
    assert fork["0.2"].messages(2)[:-1] == run["0.2"].messages(2)


def test_another_model_answers_from_there_on(run: Run) -> None:
    other = ScriptedModel(
        lambda request: code("x = 1") if request.turn == 2 else submit("'by big'"), name="big"
    )
    own = scripted()
    fork = with_model(run, own).fork("0.2", model=other)
    assert (fork.answer, asked(own), asked(other)) == ("by big", [], [("0", 2), ("0", 3)])
    assert [turn.reply.model for turn in fork["0"].turns] == ["scripted", "big", "big"]
    assert fork.origin.edit == {"model": "big"}


def test_another_model_answers_the_children_too_and_the_forks_of_the_fork(run: Run) -> None:
    def reply(request: Request) -> str:
        if request.call_id != "0":
            return submit("'a child of big'")
        return code("c = rlm_query('q', context='c')") if request.turn == 3 else submit("c")

    big, own = ScriptedModel(reply, name="big"), scripted(llm=lambda request: "own")
    fork = with_model(run, own).fork("0.3", model=big)
    assert (fork.answer, asked(own)) == ("a child of big", [])
    again = fork.fork("0.4", hint="Once more.")
    assert (again.answer, asked(big)[-1], asked(own)) == ("a child of big", ("0", 4), [])
    assert {request.model for request in big.requests} == {"big"}


def test_limits_hold_from_there_on(run: Run) -> None:
    model = scripted("", "", "", submit("'later'"), llm=lambda request: "new")
    fork = with_model(run, model).fork("0.3", reply=code("more = 1"), limits={"max_turns": 4})
    assert (fork.answer, fork.origin.edit["limits"]) == ("later", {"max_turns": 4})
    assert fork.trace.started.settings["max_turns"] == 4


def test_a_run_that_used_all_its_turns_goes_on_beyond_them() -> None:
    run, _ = ask(code("n = 1"), code("n += 1"), submit("n"), max_turns=2)
    assert (run.status, run.answer, run["0"].turns[2].asks[-1].last) == (
        "exhausted",
        "2",
        "All turns are used.",
    )
    more = scripted("", "", code("n += 1"), submit("n"))
    fork = with_model(run, more).fork("0.3", limits={"max_turns": 5})
    assert (fork.status, fork.answer, asked(more)) == ("finished", "3", [("0", 3), ("0", 4)])
    assert sent(more)[-1].endswith("Turn 4 of 5.")


def test_a_limit_that_is_raised_does_not_change_what_was_before() -> None:
    run, _ = ask(
        code("try: r = llm_query_batched(['a', 'b', 'c'])", "except SubcallError: r = 'refused'"),
        code("s = llm_query('d')"),
        submit("(r, s)"),
        max_calls=2,
    )
    more = scripted("", "", submit("(r, s, llm_query_batched(['e', 'f']))"))
    fork = with_model(run, more).fork("0.3", limits={"max_calls": 10})
    assert fork.answer == "('refused', '<d>', ['<e>', '<f>'])"
    assert asked(more) == [("0", 3), ("0.3.1", 1), ("0.3.2", 1)]
    assert divergences(fork) == []


def test_a_deeper_limit_does_not_change_what_was_before() -> None:
    run, _ = ask(code("r = rlm_query('q', context='c')"), submit("r"), max_depth=1)
    assert run["0.1.1"].kind == "llm"
    more = scripted("", submit("(r, rlm_query('q', context='c'))"), child=lambda request: submit("'deep'"))
    fork = with_model(run, more).fork("0.2", limits={"max_depth": 2})
    assert fork["0.2.1"].kind == "rlm"
    assert fork.answer == "('<q\\n\\nContext:\\nc>', 'deep')"
    assert asked(more) == [("0", 2), ("0.2.1", 1)]
    assert divergences(fork) == []


def test_one_block_of_several_is_changed() -> None:
    run, _ = ask(TWO_BLOCKS, submit("(a, b)"))
    model = scripted("", submit("(a, b)"))
    fork = with_model(run, model).fork("0.1", code="b = 'other'", block=2)
    assert fork.answer == "(1, 'other')"
    assert fork["0.1"].reply.text == TWO_BLOCKS.replace("llm_query('b')", "'other'")
    first = with_model(run, model).fork("0.1", code="a = 7", block=1)
    assert first.answer == "(7, '<b>')"
    assert modes(first)["0.1.1"] == ["replayed"]


def test_code_may_hold_fences_of_its_own() -> None:
    run, _ = ask(code("text = 'x'"), submit("text"))
    inner = 'text = """\n```repl\nnot code\n```\n"""'
    fork = with_model(run, scripted("", submit("text"))).fork("0.1", code=inner)
    assert fork.answer == "\n```repl\nnot code\n```\n"
    assert fork["0.1"].code == inner


def test_the_last_turn_is_the_last_one_again() -> None:
    run, _ = ask(code("n = 1"), submit("n"), max_turns=1)
    fork = with_model(run, scripted()).fork("0.2", reply="It is one.")
    assert (fork.status, fork.answer) == ("exhausted", "It is one.")


# At a call


def test_another_prompt_of_a_plain_request(run: Run) -> None:
    model = scripted("", "", submit("joined"))
    fork = with_model(run, model).fork("0.1.2", prompt="more")
    assert fork.answer == "<some>+<more>"
    assert fork["0.1.2"].prompt == "more"
    # Turn 2 is asked again: its variables have changed, though nothing that it was told has.
    assert ("0.1.2", 1) in asked(model)
    assert ("0.1.1", 1) not in asked(model)
    assert divergences(fork) == []


def test_another_reply_to_a_plain_request(run: Run) -> None:
    model = scripted("", "", submit("joined"))
    fork = with_model(run, model).fork("0.1.1", reply="mine")
    assert fork.answer == "mine+<text>"
    assert modes(fork)["0.1.1"] == ["human"]
    assert modes(fork)["0.1.2"] == ["replayed"]
    assert ("0.1.2", 1) not in asked(model)


def test_another_model_for_a_plain_request(run: Run) -> None:
    big = ScriptedModel([], llm=lambda request: f"big {request.model}", name="big")
    model = scripted("", "", submit("joined"))
    fork = with_model(run, model).fork("0.1.1", model=big)
    assert fork.answer == "big big+<text>"
    assert (fork["0.1.1"].started.model, asked(big)) == ("big", [("0.1.1", 1)])


def test_another_question() -> None:
    run, _ = ask(code("r = llm_query('a')"), submit("r"))
    model = scripted(code("r = llm_query('a')"), submit("'other ' + r"))
    fork = with_model(run, model).fork("0", prompt="Why?")
    assert (fork.query, fork.answer) == ("Why?", "other <a>")
    assert "Question:\nWhy?" in model.requests[0].messages[1].content
    assert asked(model) == [("0", 1), ("0", 2)]
    assert modes(fork)["0.1.1"] == ["replayed"]


def test_a_hint_to_a_child_and_to_the_root() -> None:
    run, _ = ask(
        code("r = rlm_query('q', context='c')"), submit("r"), child=lambda request: submit("context")
    )
    model = scripted("", submit("r"), child=lambda request: submit(repr(request.messages[-1].content)))
    fork = with_model(run, model).fork("0.1.1", hint="Double it.")
    assert fork.answer == "A hint from the user: Double it."
    root = scripted(submit("'at once'"))
    fork = with_model(run, root).fork("0", hint="Be quick.")
    assert (fork.answer, sent(root)[-1]) == ("at once", "A hint from the user: Be quick.")


def test_another_prompt_of_a_child_that_was_given_nothing_else() -> None:
    run, _ = ask(code("r = rlm_query('count me')"), submit("r"), child=lambda request: submit("len(context)"))
    assert run.answer == "8"
    model = scripted("", submit("r"), child=lambda request: submit("len(context)"))
    fork = with_model(run, model).fork("0.1.1", prompt="count me too")
    assert (fork.answer, fork["0.1.1"].prompt) == ("12", "count me too")


def test_another_prompt_of_a_child_that_has_a_context() -> None:
    run, _ = ask(
        code("r = rlm_query('q', context='the context')"),
        submit("r"),
        child=lambda request: submit("context"),
    )
    model = scripted("", submit("r"), child=lambda request: submit("context + '!'"))
    fork = with_model(run, model).fork("0.1.1", prompt="another")
    assert fork.answer == "the context!"


# Deep down


def deep_child(request: Request) -> str:
    if request.call_id.count(".") == 4:
        return (
            submit("'bottom of ' + context")
            if request.turn == 2
            else code("x = llm_query('deep ' + context)")
        )
    if request.turn == 1:
        return code("r = rlm_query_batched(['q', 'q'], contexts=[context + '1', context + '2'])")
    return submit("r")


@pytest.fixture
def deep() -> Run:
    """The root has a child with two children, each of which asks and answers in two turns."""
    return ask(
        code(
            "before = llm_query('before')", "r = rlm_query('go', context='c')", "after = llm_query('after')"
        ),
        submit("(r, after)"),
        child=deep_child,
        max_depth=4,
    )[0]


def test_a_turn_of_a_child_of_a_child(deep: Run) -> None:
    model = scripted("", submit("(r, after)"), child=deep_child)
    fork = with_model(deep, model).fork(
        "0.1.2.1.2.2", code="answer['content'] = 'mine'\nanswer['ready'] = True"
    )
    assert fork.answer == "(\"['bottom of c1', 'mine']\", '<after>')"
    assert asked(model) == []  # what the root and the child were told is what it was: its code only kept it
    assert divergences(fork) == []
    assert [call.id for call in fork.walk()] == [call.id for call in deep.walk()]


def test_a_plain_request_at_depth_three(deep: Run) -> None:
    model = scripted("", submit("(r, after)"), child=deep_child)
    fork = with_model(deep, model).fork("0.1.2.1.1.1.1", prompt="deeper")
    assert asked(model) == [("0.1.2.1.1.1.1", 1)]
    assert fork["0.1.2.1.1.1.1"].answer == "<deeper>"
    assert modes(fork)["0.1.2.1.2.1.1"] == ["replayed"]


def test_a_child_of_a_child_with_a_hint(deep: Run) -> None:
    model = scripted("", submit("(r, after)"), child=lambda request: submit("'hinted'"))
    fork = with_model(deep, model).fork("0.1.2.1.2", hint="Think.")
    assert fork.answer == "(\"['bottom of c1', 'hinted']\", '<after>')"
    assert asked(model) == [("0.1.2.1.2", 1)]


def test_what_does_not_depend_on_the_change_is_not_paid_for_again(deep: Run) -> None:
    model = scripted(
        "", code("again = llm_query('before') + llm_query('new')"), submit("again"), child=deep_child
    )
    fork = with_model(deep, model).fork("0.2")
    assert fork.answer == "<before><new>"
    # `before` was asked for in turn 1, and is asked for there again.
    assert [call for call, _ in asked(model)] == ["0", "0.2.1", "0.2.2", "0"]


def test_a_child_that_comes_again_later_follows_its_record(deep: Run) -> None:
    model = scripted(code("r = rlm_query('go', context='c')"), submit("r"), child=deep_child)
    fork = with_model(deep, model).fork("0.1", hint="Only the child.")
    assert fork.answer == "['bottom of c1', 'bottom of c2']"
    assert asked(model) == [("0", 1), ("0", 2)]


# Forks of forks


def test_a_fork_of_a_fork_of_a_fork() -> None:
    words = [code("s = 'a'"), code("s += 'b'"), code("s += 'c'"), submit("s")]
    run, _ = ask(*words)
    first = run.fork("0.3", code="s += 'C'")
    second = first.fork("0.2", code="s += 'B'")
    third = second.fork("0.1", code="s = 'A'")
    assert [each.answer for each in (run, first, second, third)] == ["abc", "abC", "aBc", "Abc"]
    assert [each.origin.run for each in (first, second, third)] == [run.id, first.id, second.id]
    kept = second.fork("0.4", hint="Nothing else.")
    assert (kept.answer, modes(kept)["0"]) == ("aBc", ["replayed", "replayed", "replayed", "scripted"])
    assert kept["0.2"].reply.first_mode == "human"


def test_the_first_run_stays_as_it_was(run: Run, tmp_path: Path) -> None:
    events = list(run.trace.events)
    run.fork("0.1.1", reply="mine")
    run.fork("0.2", code="joined = 'x'", limits={"max_seconds": 90})
    assert run.trace.events == events


def test_its_trace_is_written_beside_the_first(tmp_path: Path) -> None:
    run, _ = ask(code("a = 1"), submit("a"), trace_dir=tmp_path)
    before = run.path.read_bytes()
    fork = run.fork("0.1", code="a = 2")
    assert fork.path.parent == tmp_path
    assert rlm_kernel.load(fork.path).trace.events == fork.trace.events
    assert run.path.read_bytes() == before


# From a file


def test_a_scripted_run_from_a_file_needs_somebody_to_answer(tmp_path: Path) -> None:
    run, _ = ask(code("a = llm_query('a')"), submit("a"), trace_dir=tmp_path)
    loaded = rlm_kernel.load(run.path)
    with pytest.raises(ConfigError, match=r"replies of this run were scripted.*model=…"):
        loaded.fork("0.2", context="some text")
    model = ScriptedModel(lambda request: submit("a + '!'"))
    fork = loaded.fork("0.2", model=model, context="some text")
    assert (fork.answer, asked(model)) == ("<a>!", [("0", 2)])


def test_a_fork_that_asks_nobody_needs_nobody(tmp_path: Path) -> None:
    run, _ = ask(code("a = 1"), submit("a"), trace_dir=tmp_path)
    loaded = rlm_kernel.load(run.path)
    model = ScriptedModel([])
    fork = loaded.fork("0.2", reply=submit("a + 1"), model=model, context="some text")
    assert (fork.answer, model.requests) == ("2", [])


def test_the_context_has_to_be_there(tmp_path: Path) -> None:
    run, _ = ask(submit("1"), trace_dir=tmp_path)
    with pytest.raises(ContextMissing):
        rlm_kernel.load(run.path).fork("0.1", model=ScriptedModel([]))


def test_a_run_from_a_file_asks_its_server_by_the_names_of_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = by_kind([code("a = llm_query('a')"), submit("a + llm_query('b')")], lambda prompt: f"<{prompt}>")
    with ChatServer(script) as server:
        RLM(model="big", sub_model="small", base_url=server.url, trace_dir=tmp_path).run("What?", context="x")
        (path,) = tmp_path.glob("*.jsonl")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        before = len(server.asked)
        fork = rlm_kernel.load(path).fork("0.2", hint="Go.", context="x")
        assert fork.answer == "<a><b>"
        assert [each.body["model"] for each in server.asked[before:]] == ["big"]
        # A reply that a person wrote at the end does not hide that the others were a model's.
        edited = fork.fork("0.2", reply=submit("'mine'"))
        (path,) = [path for path in tmp_path.glob("*.jsonl") if edited.id in path.name]
        again = rlm_kernel.load(path).fork("0.2", context="x")
        assert again.answer == "<a><b>"


def test_another_server_s_model_is_asked_by_its_own_name(tmp_path: Path) -> None:
    run, _ = ask(code("a = 1"), submit("a"), trace_dir=tmp_path)
    script = by_kind(["", submit("llm_query('b')")], lambda prompt: f"<{prompt}>")
    with ChatServer(script) as server:
        model = rlm_kernel.OpenAIModel("big", base_url=server.url)
        fork = rlm_kernel.load(run.path).fork("0.2", model=model, context="some text")
        assert fork.answer == "<b>"
        assert [each.body["model"] for each in server.asked] == ["big", "big"]


def test_who_answered_last_answers_on_also_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(by_kind([code("a = 1"), submit("a")], "told")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run = RLM(model="small", trace_dir=tmp_path).run("What?", context="x")
        fork = run.fork("0.2", model="big")
        for each in (fork, fork.replay()):
            rlm_kernel.load(each.path).fork("0.2", hint="Go.", context="x")
        assert [each.body["model"] for each in server.asked] == ["small", "small", "big", "big", "big"]


def test_a_model_by_name_is_another_one_of_the_same_server() -> None:
    script = by_kind([code("a = 1"), submit("a")], "told")
    with ChatServer(script) as server:
        run = RLM(model="small", base_url=server.url, trace_dir=None).run("What?", context="x")
        run.fork("0.2", model="big")
        assert [each.body["model"] for each in server.asked] == ["small", "small", "big"]


# Mistakes


@pytest.mark.parametrize(
    ("at", "options", "message"),
    [
        ("0.1", {"code": "for"}, r"the code does not parse, line 1: .* Nothing was run."),
        ("0.1", {"code": "a = 1\n  b = 2"}, "the code does not parse, line 2"),
        ("0.1", {"code": "a = '\0'"}, "the code does not parse"),
        ("0.1", {"code": " "}, "code= is empty"),
        ("0.2", {"hint": ""}, "hint= is empty"),
        ("0.2", {"code": "a = 1", "block": 2}, "turn 0.2 has no block 2, only 1"),
        ("0.2", {"code": "a = 1", "block": 0}, "turn 0.2 has no block 0, only 1"),
        ("0.1", {"code": "a = 1"}, "turn 0.1 has 2 blocks: say which with block="),
        ("0.1", {"block": 2}, "block= says which block code= goes into"),
        ("0.3", {"code": "a = 1"}, "turn 0.3 has no code block: give it a whole reply with reply="),
        ("0.1", {"code": "a = 1", "hint": "b"}, "one change at a time: code or hint"),
        ("0.1", {"prompt": "other"}, r"0.1 is a turn: prompt= changes nothing there.* Name the call: 0"),
        ("0", {"code": "a = 1"}, r"0 is an rlm call: code= changes nothing there.* Name a turn of it: 0.1"),
        (
            "0.1.1",
            {"hint": "other"},
            "0.1.1 is an llm call: hint= changes nothing there; it takes prompt, reply, model",
        ),
        ("0.1", {"limits": {"max_turn": 3}}, "there is no limit 'max_turn'; did you mean max_turns?"),
        ("0.1", {"limits": {"max_turns": 0}}, "max_turns must be more than 0"),
        ("0.1", {"limits": {"trace_dir": "x"}}, "there is no limit 'trace_dir'"),
        ("0.1", {"model": " "}, "model= takes the name of a model"),
    ],
)
def test_a_change_that_cannot_be_is_told_before_anything_runs(
    at: str, options: dict[str, Any], message: str
) -> None:
    run, model = ask(TWO_BLOCKS, code("c = 1"), "No code here.", submit("(a, b)"))
    requests = len(model.requests)
    with pytest.raises(ConfigError, match=message):
        run.fork(at, **options)
    assert len(model.requests) == requests


def test_an_unknown_step_names_the_near_ones(run: Run) -> None:
    with pytest.raises(UnknownStep, match=r"no call or turn '0.1.3' in this run; there are 0.1.2, 0.1.1"):
        run.fork("0.1.3")


def test_a_model_that_nobody_can_reach(run: Run, tmp_path: Path) -> None:
    loaded = rlm_kernel.load(run.save(tmp_path / "saved"))
    with pytest.raises(ConfigError, match="model 'gpt-9' needs a key or a server"):
        loaded.fork("0.2", model="gpt-9", context="some text")


def test_code_that_goes_another_way_this_time_never_comes_to_the_step(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("one two")
    run, _ = ask(
        code(f"r = [llm_query(word) for word in open({str(file)!r}).read().split()]"),
        submit("len(r)"),
        readable=(str(file),),
    )
    file.write_text("one")
    with pytest.raises(NotReached, match="fork at an earlier step") as caught:
        run.fork("0.1.2", prompt="other")
    assert isinstance(caught.value.run, Run)
    assert caught.value.run.status == "failed"


def test_a_turn_that_the_code_does_not_come_to_any_more(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("'go on'")
    run, _ = ask(
        code(f"if open({str(file)!r}).read() == \"'stop'\": answer.update(content='x', ready=True)"),
        submit("'done'"),
        readable=(str(file),),
    )
    file.write_text("'stop'")
    with pytest.raises(NotReached, match="before the step that was to be changed"):
        run.fork("0.2", hint="Go.")


def test_a_fork_under_way_can_be_stopped(run: Run) -> None:
    fork = run.fork("0.2", hint="Go.", wait=False)
    assert isinstance(fork, Run)
    assert fork.stop().status in ("interrupted", "finished")


def test_the_same_reply_gives_the_same_run(run: Run) -> None:
    same: Callable[[str], str] = lambda at: run[at].reply.text  # noqa: E731 - a name for one line
    for at in ("0.1", "0.2", "0.3", "0.1.1"):
        assert story(run.fork(at, reply=same(at))) == story(run)
