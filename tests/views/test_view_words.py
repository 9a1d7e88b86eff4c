"""The words every view uses."""

import pytest
from trace_examples import batch, nested, used, wide

from rlm_kernel.trace import Usage
from rlm_kernel.views import summary


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), (0.0, "0.00 s"), (0.314, "0.31 s"), (9.994, "9.99 s"), (59.4, "59 s"), (125.9, "2 min 5 s")],
)
def test_a_duration(value: float | None, words: str) -> None:
    assert summary.seconds(value) == words


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
