"""Whatever a model replies: blocks and notes, in little time."""

from __future__ import annotations

import ast

import pytest
from fuzz.effort import effort, in_time
from hypothesis import example, given
from hypothesis import strategies as st

from rlm_kernel.engine.blocks import parse, prose, with_block

PIECES = st.sampled_from(
    [
        "```repl\n", "```python\n", "```py ", "```\n", "~~~repl\n", "~~~\n", "`````repl\n", "`````\n", "````", "``",
        "  ```repl\n", "\t```\n", "```sh\n", "```repl x = 1```\n", "<think>", "</think>", "<thinking>", "</THINKING>",
        "x = 1\n", "x = '''\n", "'''\n", '"""\n', "(\n", ")\n", "await x\n", "    y = 2\n", "if x:\n", "def f():\n",
        "\ufeff", "\r\n", "\r", "\n", "\0", "\u2028", "\ud800", "’quoted’", "\\", "#", "answer['ready'] = True\n",
    ]
)  # fmt: skip
REPLIES = st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join) | st.text()


@effort
@given(REPLIES, st.sampled_from(["stop", "length", "", "content_filter"]))
@example("```repl\n```", "stop")
@example("```repl", "length")
def test_any_reply_gives_blocks_or_a_note(text: str, finish_reason: str) -> None:
    with in_time():
        parsed = parse(text, finish_reason)
    assert parsed.blocks or parsed.notes
    assert len(set(parsed.notes)) == len(parsed.notes)
    assert all(
        block in text.replace("\r\n", "\n").replace("\r", "\n") or "\n" in block for block in parsed.blocks
    )
    assert len(prose(text)) <= len(text)


@effort
@given(REPLIES, st.text(max_size=30).filter(str.strip))
def test_a_block_of_any_reply_can_be_exchanged(text: str, code: str) -> None:
    number = len(parse(text).blocks)
    if number:
        assert isinstance(with_block(text, number, code), str)


@effort
@given(
    st.lists(st.sampled_from(["x = 1", "s = '''\n```\n'''", "y = [1,\n 2]", "# ```", "await z"]), min_size=1)
)
def test_a_block_that_is_python_comes_out_whole(lines: list[str]) -> None:
    code = "\n".join(lines)
    assert parse(f"Look:\n```repl\n{code}\n```\nDone.").blocks == (code,)


@pytest.mark.parametrize(
    "text",
    [
        "```repl\n(\n```\n" + "```\n" * 50_000,
        "```repl\n(\n```\n" * 20_000,
        "```repl\nx = '''\n```\n" * 20_000,
        "`````repl\n" * 50_000,
        "```repl\n" + "(" * 200_000 + "\n```",
        "```repl\n" + "-" * 200_000 + "1\n```",
        "```repl\nx" + ".a" * 100_000 + "\n```",
        "```repl\n" + "1+" * 100_000 + "1\n```",
        "```repl\n" + "x = [1, 2, 3]\n" * 200_000 + "\n```",
        "<think>" * 200_000,
        "<think></think>" * 100_000 + "<think",
        "`" * 2_000_000,
        " " * 2_000_000 + "```repl\n1\n```",
        "~" * 3 + "\n" * 1_000_000,
    ],
    ids=range(14),
)
def test_a_reply_that_is_made_to_take_long_does_not(text: str) -> None:
    with in_time(10):
        parse(text)


def test_a_block_too_large_to_be_tried_ends_with_its_first_fence() -> None:
    code = "x = 1\n" * 100_000
    parsed = parse(f"```repl\n{code}```\nand\n```repl\ny = 2\n```")
    assert parsed.blocks == (code.strip("\n"), "y = 2")
    ast.parse(parsed.blocks[1])
