"""`run["0.2.1"]`: a step in Python, with what is recorded of it and what a replay up to it gives back."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fickle import childless_again
from scripts import ask, code, submit

import rlm_kernel
from rlm_kernel import Run
from rlm_kernel.errors import ConfigError, ContextMissing, NotReached, UnknownStep
from rlm_kernel.repl.values.unrestored import Unrestored
from rlm_kernel.run import Node


@pytest.fixture
def run() -> Run:
    """A plain request in turn 1, a child in turn 2, the answer in turn 3."""
    return ask(
        code("n = 1", "a = llm_query('a')", "print(a)"),
        code("n += 1", "b = rlm_query('b', context={'k': [1, 2]})"),
        submit("{'a': a, 'b': b, 'n': n}"),
        child=lambda request: code("m = context") if request.turn == 1 else submit("len(m['k'])"),
    )[0]


def test_a_call_is_named_by_its_path(run: Run) -> None:
    node = run["0.1.1"]
    assert isinstance(node, Node)
    assert (node.id, node.prompt, node.answer, node.result) == ("0.1.1", "a", "<a>", "<a>")
    assert (node.kind, node.depth, node.status, node.turn) == ("llm", 1, "finished", None)
    assert (node.reply.text, node.code, node.output) == ("<a>", "", "")
    assert repr(node) == "<llm call 0.1.1, finished>"
    assert "a" in str(node)


def test_a_turn_is_named_by_its_path(run: Run) -> None:
    node = run["0.1"]
    assert (node.id, node.call.id, node.turn.number) == ("0.1", "0", 1)
    assert node.code == "n = 1\na = llm_query('a')\nprint(a)"
    assert node.output == "<a>\n"
    assert node.prompt == run["0"].messages(1)[-1].content
    assert run["0.2"].prompt.startswith("Block 1 printed (4 characters):\n<a>")
    assert repr(run["0.2.1.2"]) == "<turn 0.2.1.2, finished>"


def test_the_root_and_a_child_have_all_their_code(run: Run) -> None:
    assert run["0"].code.startswith("n = 1")
    assert run["0.2.1"].code == 'm = context\n\nanswer["content"] = len(m[\'k\'])\nanswer["ready"] = True'
    assert run["0.2.1"].context.type == "dict"


def test_the_variables_after_a_turn_are_objects(run: Run) -> None:
    assert run["0.1"].variables() == {"n": 1, "a": "<a>", "answer": ""}
    assert run["0.2"].variables("n", "b") == {"n": 2, "b": "2"}
    assert run["0.3"].variables()["answer"] == {"a": "<a>", "b": "2", "n": 2}
    assert run["0"].variables() == run["0.3"].variables()


def test_the_variables_of_a_child(run: Run) -> None:
    assert run["0.2.1.1"].variables() == {"m": {"k": [1, 2]}, "answer": ""}
    assert run["0.2.1"].variables("m", "answer") == {"m": {"k": [1, 2]}, "answer": 2}


def test_a_result_is_the_object_that_the_code_submitted(run: Run) -> None:
    assert run["0"].result == {"a": "<a>", "b": "2", "n": 2}
    assert run["0.2.1"].result == 2
    assert run["0.1"].result == ""


def test_tables_arrays_and_hostile_values() -> None:
    run, _ = ask(
        code(
            "import pandas as pd, numpy as np, threading",
            "frame = pd.DataFrame({'n': [1, 2], 's': ['a', None]})",
            "array = np.arange(6).reshape(2, 3)",
            "lock = threading.Lock()",
            "class Evil:",
            "    def __repr__(self): raise SystemExit('no')",
            "    def __reduce__(self): return (__import__('os').abort, ())",
            "evil = Evil()",
            "loop = []; loop.append(loop)",
            "both = (1, {'deep': [lock]})",
        ),
        submit("frame"),
    )
    values = run["0.1"].variables()
    assert values["frame"].equals(pd.DataFrame({"n": [1, 2], "s": ["a", None]}))
    assert np.array_equal(values["array"], np.arange(6).reshape(2, 3))
    for name in ("lock", "evil", "loop"):
        assert isinstance(values[name], Unrestored), name
        assert values[name].why
    assert isinstance(run["0"].result, pd.DataFrame)


def test_asking_for_variables_asks_no_model_and_leaves_no_trace(tmp_path: Path) -> None:
    run, model = ask(code("a = llm_query('a')"), submit("a"), trace_dir=tmp_path)
    asked, events = len(model.requests), list(run.trace.events)
    run["0.1"].variables()
    assert (len(model.requests), run.trace.events) == (asked, events)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_failed_or_was_stopped_has_variables_too() -> None:
    run, _ = ask(code("n = 1", "1/0"), code("n = 2"), "It is two.", max_turns=2)
    assert run["0.1"].variables() == {"n": 1, "answer": ""}
    assert run["0.2"].variables("n") == {"n": 2}
    # The last turn was plain text.
    with pytest.raises(ConfigError, match=r"0.3 ran no code, so it has no variables"):
        run["0.3"].variables()
    assert run["0"].variables("n") == {"n": 2}


def test_variables_of_another_name(run: Run) -> None:
    values = run["0.1"].variables("n", "nothing")
    assert values["n"] == 1
    assert isinstance(values.get("nothing", Unrestored(type="", why="not there")), Unrestored)


@pytest.mark.parametrize(
    "path", ["0.9", "0.1.2", "0.2.1.7", "1", "", "0.0", "0.01", "0.1.1.1", "nonsense", "0."]
)
def test_a_step_that_is_not_there_names_the_near_ones(path: str, run: Run) -> None:
    with pytest.raises(UnknownStep, match=r"no call or turn .* in this run; there are 0") as caught:
        run[path]
    assert isinstance(caught.value, KeyError)
    assert caught.value.step == path


def test_a_plain_request_has_no_variables(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"0.1.1 ran no code, so it has no variables"):
        run["0.1.1"].variables()


def test_the_context_has_to_be_there(run: Run, tmp_path: Path) -> None:
    loaded = rlm_kernel.load(run.save(tmp_path / "saved"))
    with pytest.raises(ContextMissing):
        loaded["0.1"].variables()
    assert loaded["0.1"].variables("n", context="some text") == {"n": 1}
    other = loaded["0.1"].variables("n", context="other", other_context=True)
    assert other == {"n": 1}


def test_code_that_goes_another_way_this_time(tmp_path: Path) -> None:
    run = childless_again(tmp_path)
    started = time.monotonic()
    with pytest.raises(NotReached, match=r"the replay never came to turn 1 of call 0.1.1"):
        run["0.1.1"].variables()
    assert time.monotonic() - started < 5


def test_what_a_call_does_not_have_it_does_not_have_either(run: Run) -> None:
    node: Any = run["0.1.1"]
    with pytest.raises(AttributeError):
        node.nothing  # noqa: B018 - looking is what is tested
    assert copy.copy(node).id == "0.1.1"
