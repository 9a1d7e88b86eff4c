"""The words every view uses."""

import pytest
from trace_examples import Story, batch, fenced, nested, used, wide

from rlm_kernel.trace import Turn, Usage
from rlm_kernel.views import summary


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), (0.0, "0.00 s"), (0.314, "0.31 s"), (9.994, "9.99 s"), (59.4, "59 s"), (125.9, "2 min 5 s")],
)
def test_a_duration(value: float | None, words: str) -> None:
    assert summary.seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(-3.0, "0.0 s"), (0.0, "0.0 s"), (0.314, "0.3 s"), (12.06, "12.1 s"), (125.9, "2 min 5 s")],
)
def test_a_duration_that_still_grows(value: float, words: str) -> None:
    assert summary.ticking(value) == words


def test_a_count() -> None:
    assert [summary.count(number, "call") for number in (0, 1, 1204)] == ["0 calls", "1 call", "1,204 calls"]


def test_tokens() -> None:
    assert summary.tokens(Usage()) == ""
    assert summary.tokens(used(1200, 30)) == "1,200 → 30 tokens"
    assert (
        summary.tokens(Usage(requests=1, input_tokens=4, output_tokens=1, estimated=True))
        == "about 4 → 1 tokens"
    )


def test_a_price() -> None:
    assert [summary.cost(used(cost=cost)) for cost in (None, 0.0, 0.5)] == ["", "$0.0000", "$0.5000"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", ""),
        ("\n\n  hello \nworld", "hello"),
        ("# \n---\n* found", "* found"),
        ("```repl\nprint(1)\n```", "print(1)"),
        ("x" * 91, "x" * 89 + "…"),
        ("a\x1b[0m", "a\\u001b[0m"),
        ("###", "###"),
        ("---\n***", "---"),
    ],
)
def test_the_first_line_that_says_something(text: str, first: str) -> None:
    assert summary.line(text) == first


def test_roll_ups_count_what_is_below() -> None:
    trace = nested()
    assert trace.root is not None
    below = summary.rollups(trace.root)
    assert {call_id: (part.calls, part.failed) for call_id, part in below.items()} == {
        "0": (2, 0),
        "0.1.1": (1, 0),
        "0.1.1.1.1": (0, 0),
    }
    assert below["0"].usage == trace.usage
    root = batch().root
    assert root is not None
    assert (summary.rollups(root)["0"].calls, summary.rollups(root)["0"].failed) == (5, 1)


def test_groups() -> None:
    many, alone = wide(3, batched=True).root, wide(3, batched=False).root
    assert many is not None
    assert alone is not None
    assert [len(group) for group in summary.groups(many.calls)] == [3]
    assert [len(group) for group in summary.groups(alone.calls)] == [1, 1, 1]


def test_how_a_batch_stands() -> None:
    root = batch().root
    assert root is not None
    assert summary.batch_facts(root.calls) == "4 finished, 1 failed"


def test_a_strip_has_a_sign_for_each_call_as_far_as_there_is_room() -> None:
    some, many = batch().root, wide(64, batched=True).root
    assert some is not None
    assert many is not None
    assert summary.strip(some.calls) == "✓✓✓✗✓"
    assert summary.strip(many.calls) == f"{'✓' * 60} +4"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", ""),
        ("stop", ""),
        ("length", "cut off by the length limit"),
        ("content_filter", "ended by: content_filter"),
        ("a\u202eb\nc", "ended by: a\\u202eb"),
    ],
)
def test_how_a_reply_ended(reason: str, words: str) -> None:
    story = Story()
    story.root()
    story.reply("0", 1, "x", finish_reason=reason)
    root = story.stop().root
    assert root is not None
    assert root.reply is not None
    assert summary.ending(root.reply) == words


def test_what_a_call_came_to() -> None:
    root = batch().root
    assert root is not None
    assert [summary.result(call) for call in root.calls[2:4]] == [
        "→ the sum of 0.1.3",
        "✗ ServerFailed: 500 after 3 retries",
    ]


def replied(text: str, *codes: str) -> Turn:
    """A turn whose reply has these blocks, which ran."""
    story = Story()
    story.root()
    story.reply("0", 1, text)
    for number, code in enumerate(codes, 1):
        story.code("0", 1, code, block=number)
    root = story.stop().root
    assert root is not None
    return root.turns[0]


@pytest.mark.parametrize(
    "text",
    [
        fenced("x = 1"),
        "\n" + fenced("x = 1") + "\n\n",
        "~~~python\nx = 1\n~~~",
        "````repl\nx = 1\n````",
        fenced("x = 1").replace("\n", "\r\n"),
        "```repl\n\nx = 1\n\n```",
    ],
    ids=ascii,
)
def test_a_reply_that_is_only_its_block_says_nothing_more(text: str) -> None:
    assert summary.said(replied(text, "x = 1")) == ""


def test_a_reply_that_is_only_its_blocks_says_nothing_more() -> None:
    assert summary.said(replied(f"{fenced('x = 1')}\n{fenced('y = 2')}", "x = 1", "y = 2")) == ""


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("1 and 3", None, "1 and 3"),
        (f"First.\n\n{fenced('x = 1')}", "x = 1", "First."),
        (f"{fenced('x = 1')}\nThat is all.", "x = 1", "That is all."),
        (f"First.\n{fenced('x = 1')}\nThat is all.", "x = 1", "First.\nThat is all."),
        (fenced("```\nx\n```"), "```\nx\n```", ""),
    ],
)
def test_what_a_reply_says_beside_its_block(text: str, code: str | None, words: str) -> None:
    assert summary.said(replied(text, *([code] if code else []))) == words


def test_no_word_of_a_reply_is_lost_when_it_quotes_its_code() -> None:
    said = summary.said(replied(f"I will run\nx = 1\nand then look.\n{fenced('x = 1')}", "x = 1"))
    assert "I will run\nx = 1\nand then look." in said


def test_a_block_that_does_not_run_yet_is_in_what_is_said() -> None:
    assert summary.said(replied(fenced("x = 1"))) == fenced("x = 1")
