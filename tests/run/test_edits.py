"""`Change`: what a person wants otherwise at a step, as an edit of that step."""

from __future__ import annotations

import pytest
from scripts import ask, code, submit

from rlm_kernel import Run, ScriptedModel
from rlm_kernel.engine.blocks import parse
from rlm_kernel.errors import ConfigError
from rlm_kernel.run.edits import Change
from rlm_kernel.trace import find_step

PROSE = "First I look.\n\n"
BLOCKS = PROSE + code("a = 1") + "\n\nThen I count.\n" + code("b = 2") + "\nThat is all."


@pytest.fixture(scope="module")
def run() -> Run:
    """A turn of two blocks, a child and a plain request, and the answer."""
    return ask(
        BLOCKS,
        code("c = llm_query('q')", "d = rlm_query('r', context='x')"),
        submit("a"),
        child=lambda request: submit("context"),
    )[0]


def reply(change: Change, run: Run, at: str) -> str:
    """What the model is taken to have said there."""
    edit = change.at(find_step(run.trace.tree, at))
    assert edit.reply is not None
    return edit.reply


def test_code_goes_into_the_reply_that_it_is_taken_from(run: Run) -> None:
    assert reply(Change(code="b = 3", block=2), run, "0.1") == BLOCKS.replace("b = 2", "b = 3")
    assert reply(Change(code="a = 3", block=1), run, "0.1") == BLOCKS.replace("a = 1", "a = 3")
    assert reply(Change(code="pass"), run, "0.3") == code("pass")


@pytest.mark.parametrize(
    "text",
    [
        'x = """\n```\n"""',
        "x = '''\n```repl\ny = 1\n```\n'''",
        "# ````\nx = 1",
        "await nothing()",
        "x = 'ü\u2028'",
        "\\\n\nx = 1",
    ],
)
def test_the_code_that_runs_is_the_code_that_was_given(text: str, run: Run) -> None:
    assert parse(reply(Change(code=text, block=2), run, "0.1")).blocks == ("a = 1", text)


def test_the_step_is_where_the_edit_is(run: Run) -> None:
    edit = Change(hint="Look again.").at(find_step(run.trace.tree, "0.2"))
    assert (edit.turn, edit.hint, edit.step.call.id) == (2, "Look again.", "0")
    edit = Change(prompt="other").at(find_step(run.trace.tree, "0.2.1"))
    assert (edit.turn, edit.prompt, edit.step.turn) == (1, "other", None)


def test_a_model_goes_with_a_text(run: Run) -> None:
    model = ScriptedModel([])
    edit = Change(hint="Look.", model=model).at(find_step(run.trace.tree, "0.1"))
    assert (edit.hint, edit.model) == ("Look.", model)


def test_what_was_given_is_what_is_told() -> None:
    assert Change(code="a", block=1).given == {"code": "a", "block": 1}
    assert Change().given == {}


@pytest.mark.parametrize(
    ("change", "at", "message"),
    [
        (
            Change(prompt="x"),
            "0.1",
            r"^0\.1 is a turn: prompt= changes nothing there; it takes code, block, reply, hint, model",
        ),
        (Change(code="x"), "0.2.2", r"^0\.2\.2 is an rlm call: .*Name a turn of it: 0\.2\.2\.1$"),
        (Change(reply="x"), "0", r"^0 is an rlm call: reply= .*Name a turn of it: 0\.1$"),
        (
            Change(code="x"),
            "0.2.1",
            r"^0\.2\.1 is an llm call: code= changes nothing there; it takes prompt, reply, model$",
        ),
        (Change(code="if"), "0.3", r"^the code does not parse, line 1: .*\. Nothing was run\.$"),
        (Change(code="x\n\n  y"), "0.3", "^the code does not parse, line 3"),
        (Change(block=1), "0.1", r"^block= says which block code= goes into"),
        (Change(code="x", reply="y"), "0.1", r"^one change at a time: code or reply$"),
        (Change(reply="\n"), "0.1", r"^reply= is empty$"),
    ],
)
def test_what_does_not_fit_the_step_is_told(change: Change, at: str, message: str, run: Run) -> None:
    with pytest.raises(ConfigError, match=message):
        change.at(find_step(run.trace.tree, at))
