"""The reference implementation's known faults, each as an example of what happens here instead.

The numbers are those of the list of faults found by running PyPI `rlms` 0.1.3; each test names its fault.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from scripts import ask, code, scripted, seen, submit

from rlm_kernel import RLM, Reply, Request, ScriptedModel, Usage
from rlm_kernel.errors import LimitExceeded, ModelError, NoAnswer


def shout(request: Request) -> str:
    """A child that prints twice, asks a sub-call of its own and answers with its own context."""
    if request.turn == 1:
        return code("import time", "print('begin', context)", "time.sleep(0.05)", "print('end', context)")
    return submit("context")


def test_01_parallel_children_do_not_mix_their_output_or_their_folders() -> None:
    block = code(
        "import os; open('mine', 'w').close(); print('root before')",
        "print(rlm_query_batched(['q'] * 3, contexts=['A', 'B', 'C']))",
        "print('root after', os.listdir())",
    )
    run, model = ask(block, submit("'ok'"), child=shout)
    assert run["0.1.1"].turns[0].blocks[0].executed.stdout == "begin A\nend A\n"  # type: ignore[union-attr]
    assert run["0.1.3"].turns[0].blocks[0].executed.stdout == "begin C\nend C\n"  # type: ignore[union-attr]
    assert "root before\n['A', 'B', 'C']\nroot after ['mine']" in seen(model, 2)


def test_01_the_users_own_output_and_folder_are_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    before = Path.cwd()
    ask(code("import os; os.chdir('/'); print('from the model')"), submit("'ok'"))
    assert Path.cwd() == before
    assert capfd.readouterr().out == ""


def test_02_a_block_that_fails_keeps_its_variables_and_tells_the_line() -> None:
    run, model = ask(code("kept = 'yes'", "raise KeyError('gone')"), submit("kept"))
    assert run.answer == "yes"
    assert "line 2, in <module>\n    raise KeyError('gone')" in seen(model, 2)


def test_03_functions_see_current_globals() -> None:
    run, _ = ask(code("x = 1", "def f(): return x"), code("x = 2", "result = f()"), submit("result"))
    assert run.answer == "2"


def test_04_builtins_are_whole() -> None:
    block = code(
        "class A: pass",
        "print(frozenset([1]), eval('1 + 1'), ZeroDivisionError, 'A' in globals(), NotImplemented)",
    )
    _, model = ask(block, submit("'ok'"))
    assert "frozenset({1}) 2 <class 'ZeroDivisionError'> True NotImplemented" in seen(model, 2)


def test_05_sys_exit_ends_the_block_and_nothing_else() -> None:
    run, model = ask(code("import sys", "sys.exit(2)"), submit("'still here'"))
    assert run.answer == "still here"
    assert "SystemExit: 2" in seen(model, 2)


def test_05_a_block_has_a_time_limit() -> None:
    run, model = ask(code("while True: pass"), submit("'ok'"), block_seconds=0.3)
    assert run.answer == "ok"
    assert "longer than 0.3 s" in seen(model, 2)


def test_06_a_change_in_place_never_reaches_the_users_variable() -> None:
    papers = {"a": ["x"]}
    run, _ = ask(code("context['a'].append('y')", "context.clear()"), submit("len(context)"), context=papers)
    assert papers == {"a": ["x"]}
    assert run.answer == "0"


def test_07_bare_expressions_show_and_the_model_is_told_so() -> None:
    _, model = ask(code("len(context)"), submit("1"))
    assert "Block 1 printed (2 characters):\n9" in seen(model, 2)
    assert "the value of a last expression" in model.requests[0].messages[0].content


def test_08_every_sub_call_is_recorded_and_a_rebound_answer_counts() -> None:
    run, _ = ask(code("llm_query('a'); llm_query('b')", "answer = {'content': 'done', 'ready': True}"))
    assert [call.id for call in run.walk()] == ["0", "0.1.1", "0.1.2"]
    assert run.answer == "done"


def test_08_scaffold_names_come_back_after_each_block() -> None:
    run, model = ask(code("llm_query = answer = context = None"), submit("llm_query('again') + context"))
    assert run.answer == "<again>some text"
    assert "`context` was assigned to and has been put back" in seen(model, 2)


@pytest.mark.parametrize(
    "line",
    [
        "answer.update({'content': 'x', 'ready': True})",
        "answer['ready'] = True; answer['content'] = 'x'",
        "answer = dict(content='x', ready=True)",
    ],
)
def test_09_every_honest_way_to_submit_counts(line: str) -> None:
    assert ask(code(line))[0].answer == "x"


def test_09_ready_without_content_submits_nothing_and_is_told() -> None:
    run, model = ask(code("answer['ready'] = True"), submit("'real'"))
    assert run.answer == "real"
    assert "nothing was submitted" in seen(model, 2)


def test_09_ready_in_a_block_that_raises_submits_nothing_and_is_told() -> None:
    run, model = ask(
        code("answer = {'content': 'early', 'ready': True}", "1/0"), submit("answer['content'] + ', checked'")
    )
    assert run.answer == "early, checked"
    assert "the answer was not submitted" in seen(model, 2)


def test_09_an_answer_that_is_not_text_is_its_text() -> None:
    assert ask(submit("[1, 'two']"))[0].answer == "[1, 'two']"


def test_10_nothing_runs_after_the_block_that_answered() -> None:
    reply = submit("'done'") + "\n" + code("llm_query('costs money')")
    run, model = ask(reply)
    assert run.answer == "done"
    assert len(model.requests) == 1


def test_11_each_run_starts_with_a_fresh_answer_and_its_own_context() -> None:
    rlm = RLM(
        model=ScriptedModel([submit("context"), code("print(answer)"), submit("context")]), trace_dir=None
    )
    assert rlm.run("one?", context="first").answer == "first"
    second = rlm.run("two?", context="second")
    assert second.answer == "second"
    assert second["0"].turns[0].blocks[0].executed.stdout == "{'content': '', 'ready': False}\n"  # type: ignore[union-attr]


def test_12_out_of_turns_the_model_is_asked_once_more_and_its_code_is_run_not_returned() -> None:
    run, model = ask(code("x = 20"), submit("x + 1"), max_turns=1)
    assert (run.status, run.answer) == ("exhausted", "21")
    last = model.requests[-1].messages[-1]
    assert last.role == "user"
    assert "This is your last reply" in last.content


def test_12_plain_text_of_the_last_turn_is_an_answer_and_marked() -> None:
    run, _ = ask(code("x = 1"), "It is one.", max_turns=1)
    assert (run.status, run.answer, run["0"].how) == (
        "exhausted",
        "It is one.",
        "plain text of the last turn",
    )


def test_12_otherwise_what_the_answer_variable_holds_counts() -> None:
    run, _ = ask(code("answer['content'] = 'so far'"), code("1/0"), max_turns=1)
    assert (run.status, run.answer) == ("exhausted", "so far")


def test_12_and_with_nothing_at_all_it_is_an_error_that_carries_the_run() -> None:
    with pytest.raises(NoAnswer, match="no answer: All turns are used") as caught:
        ask(code("x = 1"), code("1/0"), max_turns=1)
    run = caught.value.run
    assert run.status == "failed"  # type: ignore[attr-defined]
    assert len(run["0"].turns) == 2  # type: ignore[index]


def test_13_a_python_fence_is_code() -> None:
    assert ask("```python\nFINAL('ran')\n```")[0].answer == "ran"


def test_13_code_with_a_fence_in_it_and_a_block_without_an_end_run_whole() -> None:
    run, _ = ask('```repl\nt = """\n```\n"""\nn = len(t)\n```', "```repl\nFINAL(n)")
    assert run.answer == "5"


def test_13_an_empty_reply_is_a_typed_error_not_a_type_error() -> None:
    with pytest.raises(ModelError):
        ask(ModelError("empty", model="m"))


def test_14_the_context_arrives_exactly_as_it_is() -> None:
    context = {1: ("a\r\n", b"\x00"), "s": {1, 2}, None: "\ud800"}
    run, _ = ask(submit(f"context == {context!r}"), context=context)
    assert run.answer == "True"


def test_14_the_model_is_told_how_the_context_is_built_and_sees_a_preview() -> None:
    _, model = ask(submit("1"), context={"a.txt": "hello", "b.txt": "hi"})
    told = model.requests[0].messages[1].content
    assert "dict of 2 str -> str, 2 to 5 characters each" in told
    assert "Preview: {'a.txt': 'hello', 'b.txt': 'hi'}" in told


def test_15_a_child_knows_its_question() -> None:
    run, model = ask(
        code("r = rlm_query('How many?', context=['x', 'y'])"),
        submit("r"),
        child=lambda r: submit("len(context)"),
    )
    assert run.answer == "2"
    told = model.requests[1].messages[1].content
    assert told.startswith("Question:\nHow many?\n")
    assert "The variable `context` is a list." in told


def test_15_a_prompt_without_a_context_is_both() -> None:
    long = "Count the words. " + "word " * 2000
    _, model = ask(
        code(f"r = rlm_query({long!r})"), submit("r"), child=lambda r: submit("len(context.split())")
    )
    told = model.requests[1].messages[1].content
    assert "Your task is stated in `context`, a text of 10,017 characters" in told
    assert len(told) < 6000


def test_16_braces_and_percent_signs_in_a_question_are_just_text() -> None:
    question = 'What is in {"a": {0}} and %s and {}?'
    model = scripted(submit("1"))
    RLM(model=model, trace_dir=None).run(question, context="x")
    assert question in model.requests[0].messages[1].content


def test_16_children_inherit_the_settings() -> None:
    _, model = ask(
        code("r = rlm_query('q', context='x')"),
        submit("r"),
        child=lambda r: submit("1"),
        temperature=0.3,
        output_chars=500,
    )
    assert {request.temperature for request in model.requests} == {0.3}


def test_17_the_runs_usage_holds_every_descendants() -> None:
    def paid(request: Request) -> Reply:
        return Reply(
            text=submit("llm_query('x')"),
            model="m",
            usage=Usage(requests=1, input_tokens=10, output_tokens=1),
        )

    run, _ = ask(
        code("r = rlm_query('q', context='x')"),
        submit("r"),
        child=paid,
        llm=lambda r: Reply(
            text="sub", model="m", usage=Usage(requests=1, input_tokens=100, output_tokens=5, cost=0.5)
        ),
    )
    child = run["0.1.1"]
    assert (child.usage.input_tokens, child.total_usage.input_tokens) == (10, 110)
    assert run.usage.requests == 4
    assert run.usage.input_tokens == run["0"].usage.input_tokens + 110
    assert run.usage.cost is None  # one part is unknown, so the sum is


def test_17_a_limit_is_the_whole_trees() -> None:
    def greedy(request: Request) -> str:
        return (
            code("print(llm_query('a'), llm_query('b'))") if request.turn == 1 else submit("'child gave up'")
        )

    run, model = ask(code("r = rlm_query('q', context='x')"), submit("r"), child=greedy, max_calls=2)
    assert run.answer == "child gave up"
    assert sum(request.kind == "llm" for request in model.requests) == 1
    told = [request for request in model.requests if request.call_id == "0.1.1"][1].messages[-1].content
    assert "1 sub-calls were asked for and 0 of 2 are left" in told


def test_17_tokens_stop_inside_a_batch_before_they_are_over() -> None:
    llm = lambda r: Reply(text="y", model="m", usage=Usage(requests=1, input_tokens=100, output_tokens=10))  # noqa: E731
    run, _ = ask(
        code("r = llm_query_batched(['x' * 400] * 100)"),
        submit("sum(isinstance(x, SubcallError) for x in r)"),
        llm=llm,
        max_tokens=6000,
        max_output_tokens=10,
        concurrency=8,
    )
    last = run["0"].turns[-1].reply
    assert last is not None
    assert run.usage.tokens - last.usage.tokens <= 6000  # only the one last turn may go beyond
    assert 0 < int(run.answer or 0) < 100


def test_18_every_call_of_a_batch_has_its_own_usage() -> None:
    def llm(request: Request) -> Reply:
        number = int(request.messages[0].content)
        return Reply(text="ok", model="m", usage=Usage(requests=1, input_tokens=number, output_tokens=1))

    run, _ = ask(code("llm_query_batched(['10', '20', '30'])"), submit("1"), llm=llm)
    assert [run[f"0.1.{n}"].usage.input_tokens for n in (1, 2, 3)] == [10, 20, 30]


def test_19_plain_sub_calls_go_to_the_sub_model_at_every_depth() -> None:
    root = scripted(
        code("r = rlm_query('q', context='x')"),
        submit("r"),
        child=lambda r: submit("llm_query('deep')"),
        llm=lambda r: "wrong",
    )
    sub = ScriptedModel([], llm=lambda r: "cheap", name="sub")
    run = RLM(model=root, sub_model=sub, trace_dir=None).run("What?", context="x")
    assert run.answer == "cheap"
    assert run["0.1.1.1.1"].model == "sub"


def test_19_a_model_named_in_the_code_is_the_one_asked_and_recorded() -> None:
    run, model = ask(code("llm_query('q', model='special')"), submit("1"))
    assert model.requests[1].model == "special"
    assert run["0.1.1"].started.model == run["0.1.1"].model == "special"


def test_20_a_reply_without_usage_is_used_and_its_tokens_estimated() -> None:
    run, _ = ask(submit("'kept'"))
    assert run.answer == "kept"
    assert run.usage.estimated


def test_20_reasoning_and_finish_reason_are_kept() -> None:
    run, _ = ask(Reply(text=submit("1"), model="m", reasoning="I thought.", finish_reason="stop"))  # type: ignore[arg-type]
    reply = run["0"].turns[0].reply
    assert reply is not None
    assert (reply.reasoning, reply.finish_reason) == ("I thought.", "stop")


def test_21_a_batch_runs_as_wide_as_it_is_set_and_recursion_does_not_multiply_it() -> None:
    now = most = 0

    async def slow(request: Request) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return "ok"

    ask(code("r = llm_query_batched(['x'] * 100)"), submit("1"), llm=slow, concurrency=25)
    assert most == 25


def test_22_depth_0_is_a_run_like_any_other() -> None:
    run, model = ask(code("llm_query('x')"), submit("'alone'"), max_depth=0)
    assert run.answer == "alone"
    assert "no sub-calls at depth 1" in seen(model, 2)
    assert "llm_query" not in model.requests[0].messages[0].content


def test_22_the_time_limit_of_a_run_holds_inside_a_turn() -> None:
    started = time.monotonic()
    run, _ = ask(code("import time", "kept = 'kept'", "time.sleep(60)"), submit("kept"), max_seconds=0.5)
    assert time.monotonic() - started < 10
    assert (run.status, run.answer) == ("exhausted", "kept")


def test_22_the_time_limit_of_a_run_holds_inside_a_batch() -> None:
    async def never(request: Request) -> str:
        await asyncio.sleep(600)
        return "late"

    started = time.monotonic()
    run, _ = ask(code("llm_query_batched(['x'] * 5)"), submit("'early'"), llm=never, max_seconds=0.5)
    assert time.monotonic() - started < 10
    assert (run.status, run.answer) == ("exhausted", "early")
    assert run["0.1.1"].status == "interrupted"


def test_the_trace_grows_with_the_turns_not_with_their_square(tmp_path: Path) -> None:
    def size(turns: int) -> int:
        replies = [code(f"print({n}, 'x' * 500)") for n in range(turns)] + [submit("1")]
        run, _ = ask(*replies, context="y" * 100_000, max_turns=turns + 1, trace_dir=tmp_path)
        assert run.path is not None
        return run.path.stat().st_size

    small, large = size(10), size(40)
    assert large < 4.4 * small
    assert small < 60_000  # and the context is not in it


def test_every_event_of_the_trace_is_one_json_line(tmp_path: Path) -> None:
    run, _ = ask(code("llm_query('a')"), submit("'b'"), trace_dir=tmp_path)
    assert run.path is not None
    lines = [json.loads(line) for line in run.path.read_text().splitlines()]
    events = [line["type"] for line in lines if line["type"] != "text"]
    assert events == [
        "run_started",
        "call_started",
        "model_asked",
        "model_replied",
        "call_started",
        "model_replied",
        "call_finished",
        "code_executed",
        "model_asked",
        "model_replied",
        "code_executed",
        "call_finished",
        "run_finished",
    ]


def test_limits_name_themselves() -> None:
    error = LimitExceeded("over", limit="max_calls", used=3, allowed=2)
    assert (error.limit, error.used, error.allowed) == ("max_calls", 3, 2)
