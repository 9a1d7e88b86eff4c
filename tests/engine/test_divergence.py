"""How a block that ran again differs from the one in the record."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_kernel.engine.divergence import differing, divergences
from rlm_kernel.repl.base import BlockResult
from rlm_kernel.trace import CodeExecuted, Divergence, ErrorInfo, Variable, VariableChanges


def compared(then: dict[str, Any], now: dict[str, Any], code: str = "x = 1") -> list[tuple[str, str, str]]:
    """What differs between a block that did `then` and one that does `now`."""
    recorded = CodeExecuted(call_id="0", turn=1, block=1, code="x = 1", **then)
    error = now.get("error")
    found = divergences(recorded, code, BlockResult(**now), error)
    return [(each.what, each.recorded, each.found) for each in found]


def changes(*added: str, **others: Any) -> VariableChanges:
    """Those variables, each with a preview."""
    return VariableChanges(
        added=tuple(Variable(name="x", type="str", size="1", preview=preview) for preview in added), **others
    )


def test_the_same_is_no_difference() -> None:
    same = {"stdout": "out\n", "stderr": "err", "variables": changes("a")}
    assert compared(same, same) == []


def test_output_of_both_streams() -> None:
    assert compared({"stdout": "a"}, {"stdout": "b"}) == [("output", "a", "b")]
    assert compared({"stderr": "a"}, {"stderr": "b"}) == [("output", "a", "b")]


def test_an_error_by_its_type_and_message_but_not_by_its_traceback() -> None:
    then = {"error": ErrorInfo(type="ValueError", message="a", traceback="line 1")}
    assert compared(then, {"error": ErrorInfo(type="ValueError", message="a", traceback="line 2")}) == []
    assert compared(then, {"error": ErrorInfo(type="ValueError", message="b")}) == [
        ("error", "ValueError: a", "ValueError: b")
    ]
    assert compared(then, {}) == [("error", "ValueError: a", "")]


def test_code() -> None:
    assert compared({}, {}, code="x = 2") == [("code", "x = 1", "x = 2")]


def test_variables_added_changed_and_removed() -> None:
    then = {"variables": changes("a", removed=("y",))}
    assert compared(then, {"variables": changes("b")}) == [
        ("variables", "+x: str (1) = a\n-y", "+x: str (1) = b")
    ]
    changed = VariableChanges(changed=(Variable(name="x", type="int"),))
    assert compared({"variables": changed}, {}) == [("variables", "~x: int", "")]


def test_all_that_differs_is_told() -> None:
    now = {"stdout": "b", "error": ErrorInfo(type="E", message=""), "variables": changes("b")}
    assert [what for what, _, _ in compared({}, now, code="y")] == ["code", "error", "output", "variables"]


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("<object object at 0x7f8b117c1850>", "<object object at 0x7f0000000000>"),
        ("<__main__.A object at 0x10ab3c4d>", "<__main__.A object at 0xffffffff>"),
        ("<Thread(Thread-1 (work), started 140245)>", "<Thread(Thread-1 (work), started 99)>"),
        ("<Thread(Thread-1, stopped daemon 1234)>", "<Thread(Thread-1, stopped daemon 9)>"),
    ],
)
def test_addresses_and_threads_are_never_the_same_and_do_not_count(then: str, now: str) -> None:
    assert compared({"stdout": then}, {"stdout": now}) == []
    assert compared({"variables": changes(then)}, {"variables": changes(now)}) == []


@pytest.mark.parametrize(("then", "now"), [("n = 12", "n = 13"), ("0x1f", "0x2f"), ("12", "13")])
def test_other_numbers_count(then: str, now: str) -> None:
    assert [what for what, _, _ in compared({"stdout": then}, {"stdout": now})] == ["output"]


def test_long_texts_are_cut_for_people() -> None:
    told = differing("output", "a" * 10_000, "b")
    assert isinstance(told, Divergence)
    assert len(told.recorded) < 2_100
    assert told.found == "b"
