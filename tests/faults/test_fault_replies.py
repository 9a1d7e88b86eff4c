"""F44–F52: replies whose form is odd. What is code runs, what is not is said to the model, and nothing runs half."""

from __future__ import annotations

import pytest
from scripts import ask, code, seen, submit

from rlm_kernel import RLM, Reply, Run, ScriptedModel
from rlm_kernel.errors import NoAnswer
from rlm_kernel.trace import CodeExecuted


def turns(*replies: str) -> tuple[Run, ScriptedModel]:
    """A run of those replies, one a turn, and an honest answer at the end."""
    return ask(*replies, submit("'honest'"))


def ran(run: Run, turn: int = 1) -> list[CodeExecuted]:
    """What ran in that turn."""
    return [block.executed for block in run["0"].turns[turn - 1].blocks if block.executed]


def test_f44_a_reply_without_code_is_told_so() -> None:
    """Prose."""
    run, model = turns("The answer is four.")
    assert "Your reply has no code block, so nothing ran." in seen(model, 2)
    assert run.answer == "honest"


def test_f44_prose_is_never_passed_off_as_an_answer() -> None:
    """Prose, turn after turn.

    Exception: not after one nudge but after `max_errors` turns the model is asked for its answer, as plain text if it likes.
    What it then says ends the run as `exhausted`, and the trace says that it was plain text."""
    run, model = ask(*["Perhaps four."] * 2, "Four, I think.", max_errors=2)
    assert "This is your last reply" in seen(model, 3)
    assert (run.status, run.answer, run["0"].how) == (
        "exhausted",
        "Four, I think.",
        "plain text of the last turn",
    )
    with pytest.raises(NoAnswer):
        ask(*["Perhaps four."] * 2, "<think>Or five?</think>", max_errors=2)


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
@pytest.mark.parametrize("tag", ["repl", "REPL", "python", "py", "Python"])
def test_f45_every_documented_fence_is_code(fence: str, tag: str) -> None:
    """Fences of other kinds, indented too."""
    run, _ = turns(f"1. Look:\n   {fence}{tag}\n   if True:\n       print('ran')\n   {fence}")
    assert ran(run)[0].stdout == "ran\n"


@pytest.mark.parametrize("tag", ["bash", "json", ""])
def test_f45_other_fences_are_told(tag: str) -> None:
    """A fence with a tag that is not code here."""
    run, model = turns(f"```{tag}\nprint('ran')\n```")
    assert not ran(run)
    assert f"A fenced block tagged {tag or 'nothing'!r} was not run" in seen(model, 2)


def test_f46_nothing_runs_after_a_block_that_failed() -> None:
    """Several blocks, and the first fails."""
    reply = code("1/0") + "\n" + code("print('second')")
    run, model = turns(reply)
    assert [str(each.error) for each in ran(run)] == ["ZeroDivisionError: division by zero"]
    assert "Block 1 failed, so the 1 after it did not run." in seen(model, 2)
    assert run["0"].turns[0].reply is not None
    assert run["0"].turns[0].reply.text == reply


def test_f47_nothing_runs_after_the_answer() -> None:
    """An answer in block 1, side effects in block 2."""
    run, model = turns(submit("'early'") + "\n" + code("llm_query('costs money')"))
    assert (run.answer, len(ran(run)), len(model.requests)) == ("early", 1, 1)


@pytest.mark.parametrize(
    "block",
    [
        't = """\n```\nquoted\n```\n"""\nprint(len(t))',
        'p = """Reply like this:\n```repl\nprint(1)\n```\n"""\nprint(len(p))',
        "# a comment with ```\nprint('```repl')",
    ],
)
def test_f48_a_fence_inside_a_string_does_not_end_the_block(block: str) -> None:
    """Code that holds fences."""
    run, _ = turns(f"```repl\n{block}\n```\nThat is all.")
    assert [(each.code, each.error) for each in ran(run)] == [(block, None)]


def test_f49_a_block_that_was_cut_off_never_runs() -> None:
    """`finish_reason=length`, in the middle of a block that happens to be valid Python."""
    cut = Reply(text="```repl\nprint('half')\nremove = everything", model="m", finish_reason="length")
    model = ScriptedModel([cut, submit("'honest'")])
    run = told(model)
    assert not ran(run)
    assert "Your reply was cut off in the middle of a code block, which was not run." in seen(model, 2)
    assert run.answer == "honest"


def test_f49_text_that_was_cut_off_is_no_answer() -> None:
    """The last reply is cut off before it comes to the point."""
    cut = Reply(text="The answer is probably", model="m", finish_reason="length")
    with pytest.raises(NoAnswer):
        told(ScriptedModel([cut, cut]), max_turns=1)


def test_f49_a_block_without_an_end_runs_only_when_it_is_whole() -> None:
    """An unclosed fence."""
    run, model = turns("```repl\nprint('whole')", "```repl\nprint('half'")
    assert ran(run)[0].stdout == "whole\n"
    assert "Your code block had no closing fence" in seen(model, 2)
    assert not ran(run, 2)
    assert "is not valid Python as it stands, so it was not run" in seen(model, 3)


@pytest.mark.parametrize("close", ["</think>\n", ""])
def test_f50_code_in_the_models_thinking_does_not_run(close: str) -> None:
    """Code inside `<think>`."""
    run, _ = turns(f"<think>\n{code('print(1)')}\n{close}" + (code("print(2)") if close else ""))
    assert [each.stdout for each in ran(run)] == (["2\n"] if close else [])


def test_f51_byte_order_marks_and_windows_line_ends_do_not_reach_python() -> None:
    """BOM and CRLF."""
    run, _ = turns(
        "\ufeff```repl\r\nx = '''a\r\nb'''\r\nprint(len(x))\r\n```\r\n", "```repl\n\ufeffprint('marked')\n```"
    )
    assert ran(run)[0].stdout == "3\n"
    assert ran(run, 2)[0].stdout == "marked\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("print(“hello”)", "invalid character '“' (U+201C)"),
        ("x = 1\0", "null bytes"),
        ("x =\u00a01", "invalid non-printable character U+00A0"),
    ],
)
def test_f51_other_characters_that_are_not_python_are_named(line: str, said: str) -> None:
    """Smart quotes, NUL, a space that does not break."""
    _, model = turns(code(line))
    assert said in seen(model, 2)


def test_f52_await_and_the_value_of_a_last_expression_work() -> None:
    """Top-level `await`, a last expression."""
    run, _ = turns(
        code("import asyncio", "x = await asyncio.sleep(0, 3)", "await asyncio.sleep(0, x + 1)"), code("x")
    )
    assert [ran(run, turn)[0].stdout for turn in (1, 2)] == ["4\n", "3\n"]


@pytest.mark.parametrize(
    "line",
    [
        "%timeit 1",
        "%%bash\nls",
        "!ls -l",
        "files = !ls",
        "here = %pwd",
        "context?",
        "?context",
        "!pip install x",
    ],
)
def test_f52_magics_and_shell_commands_are_refused_in_words(line: str) -> None:
    """`%magic`, `!shell`, `name?`."""
    run, model = turns(code("kept = 1", line))
    assert "SyntaxError: invalid syntax. Magics, shell commands and `?` do not work here" in seen(model, 2)
    assert "plain Python" in str(ran(run)[0].error)


def test_f52_an_error_that_only_looks_like_one_is_left_alone() -> None:
    """Other syntax errors say nothing of magics."""
    for wrong in ("x = (1\n  % 2 2)", "print('What?", "if x != 1 print()"):
        _, model = turns(code(wrong))
        assert "SyntaxError" in seen(model, 2)
        assert "Magics" not in seen(model, 2)


def told(model: ScriptedModel, **options: int) -> Run:
    """A run of that model."""
    return RLM(model=model, trace_dir=None, **options).run("What?", context="some text")
