"""F38–F43: values that are too large, or that fight being looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import LIMIT, SLACK, After, Memory


def saved(folder: Path) -> int:
    """The bytes of everything that was saved there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_f38_a_large_variable_is_a_size_and_a_preview_in_the_trace(tmp_path: Path) -> None:
    """A variable of 200 MB."""
    memory = Memory()
    after = After(
        "big = 'x' * 200_000_000", "big += 'y'", then="len(big)", trace_dir=tmp_path, block_seconds=30
    )
    (big,) = after.executed().variables.added
    assert (big.name, big.type, big.size) == ("big", "str", "200,000,000")
    assert len(big.preview) < 200
    assert after.answer == "200000001"
    assert saved(tmp_path) < 100_000
    assert memory.grown() < 20_000_000


def test_f39_an_answer_that_is_too_large_is_not_submitted_and_the_model_told(tmp_path: Path) -> None:
    """An answer of 200 MB.

    Exception: it is refused rather than kept; nobody reads it, and the model can say where the result is instead."""
    submit = "answer['content'] = 'x' * 200_000_000\nanswer['ready'] = True"
    after = After(submit, then="'see the file'", trace_dir=tmp_path, block_seconds=30)
    assert "The answer has 200,000,000 characters; at most 16,000,000 can be submitted." in after.told()
    assert after.answer == "see the file"
    assert saved(tmp_path) < 100_000


def test_f39_a_large_answer_is_saved_once(tmp_path: Path) -> None:
    """An answer of 5 MB."""
    after = After(
        "answer['content'] = 'x' * 5_000_000\nanswer['ready'] = True", trace_dir=tmp_path, block_seconds=30
    )
    assert len(after.answer) == 5_000_000
    assert saved(tmp_path) < 5_500_000


EVIL = """
def boom(*_): raise SystemExit('boom')
class Evil:
    __repr__ = __str__ = __len__ = __bool__ = __hash__ = __eq__ = __iter__ = __getattr__ = boom
    shape = columns = __dict__ = property(boom)
class Mapping(dict):
    items = keys = values = __iter__ = __len__ = __repr__ = boom
class Text(str):
    __repr__ = __str__ = __len__ = __format__ = boom
evil, mapping, text, holds = Evil(), Mapping(a=1), Text('x'), [Evil()]
deep = []
for _ in range(100_000): deep = [deep]
"""


def test_f40_values_that_fight_being_looked_at_are_no_harm() -> None:
    """`__repr__`, `__len__` and others that raise; a list 100,000 deep."""
    after = After(EVIL, "print(SHOW_VARS())", "deep", "evil", then="'ok'")
    assert after.executed().error is None
    looked = {variable.name: variable for variable in after.executed().variables.added}
    assert set(looked) == {"evil", "mapping", "text", "holds", "deep"}
    assert looked["holds"].preview == "[<Evil>]"
    assert "evil: <unprintable>\nmapping: <unprintable>\ntext: <unprintable>" in after.executed(2).stdout
    assert after.error(3).startswith("RecursionError")
    assert after.error(4) == "SystemExit: boom"
    assert after.answer == "ok"


def test_f40_a_broken_answer_dict_is_no_harm() -> None:
    """`answer` replaced by a mapping whose methods raise."""
    after = After(f"{EVIL}\nanswer = Mapping(content='kept', ready=False)", then="answer['content']")
    assert after.executed().error is None
    assert after.answer == "kept"


@pytest.mark.parametrize(
    "line",
    [
        "Slow()",
        "answer['content'] = Slow(); answer['ready'] = True",
        "answer['content'] = 'x'; answer['ready'] = Slow()",
        "raise Slow()",
    ],
    ids=["echo", "content", "ready", "error"],
)
def test_f41_a_slow_look_counts_as_the_blocks_time(line: str) -> None:
    """A `__repr__` that sleeps."""
    slow = "import time\nkept = 7\nclass Slow(Exception):\n    def __repr__(self): time.sleep(60)\n    __str__ = __bool__ = __repr__\n"
    after = After(slow + line, "kept")
    assert after.error().startswith("TimeoutError: the block ran longer than 1 s")
    assert after.executed().seconds < LIMIT + 0.5
    assert after.executed(2).stdout == "7\n"
    assert after.seconds < LIMIT + 1 + SLACK


def test_f41_variables_whose_look_is_slow_cost_nothing() -> None:
    """Variables are looked at after each block, but nothing of theirs is called."""
    slow = "import time\nclass Slow:\n    def __len__(self): time.sleep(60)\n    shape = property(__len__)\n    __repr__ = __len__\n"
    after = After(slow + "slow, holds = Slow(), [Slow()]", block_seconds=30)
    assert [variable.name for variable in after.executed().variables.added] == ["slow", "holds"]
    assert after.seconds < SLACK


@pytest.mark.parametrize("error", ["RuntimeError", "SystemExit"])
def test_f42_an_answer_that_cannot_be_shown_is_told(error: str) -> None:
    """`answer["content"]` whose `__str__` raises."""
    odd = f"class Odd:\n    def __str__(self): raise {error}\nanswer.update(content=Odd(), ready=True)"
    after = After(odd, then="'real'")
    assert f'`answer["content"]` cannot be shown as text: {error}. Submit a text.' in after.told()
    assert "nothing was submitted" in after.told()
    assert after.answer == "real"


def test_f43_an_answer_in_a_block_that_then_fails_is_kept_and_not_submitted() -> None:
    """`answer["ready"] = True`, then an exception.

    Exception: the answer is not accepted. What failed may be what was to check it, and the model is there to decide: it is
    told, its content is kept, and one line submits it."""
    after = After("answer.update(content='early', ready=True)\n1/0", then="answer['content']")
    assert (
        "The block raised after `answer` was marked ready, so the answer was not submitted." in after.told()
    )
    assert after.answer == "early"
