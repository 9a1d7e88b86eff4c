"""From a reply to its code blocks."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.blocks import BROKEN, CUT_OFF, CUT_SHORT, NO_CODE, UNCLOSED, parse, prose


@pytest.mark.parametrize("tag", ["repl", "python", "py", "REPL", "Python"])
@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_every_documented_fence_is_code(tag: str, fence: str) -> None:
    assert parse(f"I will look.\n{fence}{tag}\nprint(1)\n{fence}\nThat is all.").blocks == ("print(1)",)


def test_several_blocks_come_in_order() -> None:
    assert parse("```repl\na = 1\n```\nand\n```python\nb = 2\n```").blocks == ("a = 1", "b = 2")


def test_a_fence_inside_a_string_does_not_end_the_block() -> None:
    code = 'text = """\n```\nquoted\n```\n"""\nprint(text)'
    assert parse(f"```repl\n{code}\n```\nDone.").blocks == (code,)


def test_code_that_holds_a_whole_block_is_one_block() -> None:
    code = 'prompt = """Reply like this:\n```repl\nprint(1)\n```\nand no more."""\nprint(len(prompt))'
    parsed = parse(f"```repl\n{code}\n```")
    assert parsed.blocks == (code,)
    assert parsed.notes == ()


def test_a_closed_block_that_is_not_python_still_runs_so_that_python_says_what_is_wrong() -> None:
    assert parse("```repl\nprint(\n```\nbye").blocks == ("print(",)


def test_a_fence_on_one_line() -> None:
    assert parse("```repl print(2) ```").blocks == ("print(2)",)


def test_an_indented_block_is_dedented() -> None:
    assert parse("1. First:\n   ```repl\n   if True:\n       print(1)\n   ```").blocks == (
        "if True:\n    print(1)",
    )


def test_an_unclosed_block_that_is_whole_runs_and_the_model_is_told() -> None:
    parsed = parse("```repl\nprint(1)")
    assert parsed.blocks == ("print(1)",)
    assert parsed.notes == (UNCLOSED,)


def test_an_unclosed_block_that_is_not_python_does_not_run() -> None:
    parsed = parse("```repl\nprint(1")
    assert parsed.blocks == ()
    assert parsed.notes == (BROKEN,)


def test_a_block_cut_off_by_the_length_limit_never_runs_even_when_it_parses() -> None:
    parsed = parse("```repl\ndelete = everything", finish_reason="length")
    assert parsed.blocks == ()
    assert parsed.notes == (CUT_OFF,)


def test_blocks_before_the_cut_one_do_run() -> None:
    parsed = parse("```repl\na = 1\n```\n```repl\nb =", finish_reason="length")
    assert parsed.blocks == ("a = 1",)
    assert parsed.notes == (CUT_OFF,)


@pytest.mark.parametrize(("finish", "note"), [("stop", NO_CODE), ("length", CUT_SHORT)])
def test_a_reply_without_code_is_told(finish: str, note: str) -> None:
    parsed = parse("The answer is probably 4.", finish)
    assert (parsed.blocks, parsed.notes, parsed.plain) == ((), (note,), True)


@pytest.mark.parametrize("tag", ["json", "bash", ""])
def test_a_block_with_another_tag_is_told_and_not_run(tag: str) -> None:
    parsed = parse(f"```{tag}\nrm -rf /\n```")
    assert parsed.blocks == ()
    assert repr(tag or "nothing") in parsed.notes[0]
    assert not parsed.plain


def test_code_in_the_models_thinking_is_not_run() -> None:
    text = "<think>\n```repl\nboom()\n```\n</think>\n```repl\nprint(1)\n```"
    assert parse(text).blocks == ("print(1)",)
    assert prose("<think>hm</think> Paris ") == "Paris"


def test_line_ends_and_a_byte_order_mark_do_not_reach_python() -> None:
    assert parse("\ufeff```repl\r\na = 1\r\nb = 2\r\n```\r\n").blocks == ("a = 1\nb = 2",)


def test_top_level_await_is_valid_code() -> None:
    code = 's = """\n```\n"""\nawait f(s)'
    assert parse(f"```repl\n{code}\n```").blocks == (code,)


@given(st.text())
def test_any_text_parses(text: str) -> None:
    parsed = parse(text)
    assert parsed.blocks or parsed.notes


@given(st.text(alphabet="`~repl py\nx=1'\"#", max_size=60), st.sampled_from(["stop", "length"]))
def test_any_mess_of_fences_parses(text: str, finish: str) -> None:
    parse(text, finish)


LINES = st.lists(
    st.sampled_from(
        ["x = 1", "print(x)", "", "# ```", 's = """\n```\n"""', "s = '```repl'", "if x:\n    pass"]
    ),
    min_size=1,
).map("\n".join)


@given(LINES, LINES)
def test_valid_code_survives_whatever_fences_it_holds(first: str, second: str) -> None:
    ast.parse(first), ast.parse(second)
    parsed = parse(f"One\n```repl\n{first}\n```\ntwo\n```python\n{second}\n```\n")
    kept = tuple(code.strip("\n") for code in (first, second) if code.strip("\n"))
    assert parsed.blocks == kept
