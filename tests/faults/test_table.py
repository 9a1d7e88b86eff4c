"""The table of the fault list: every number has a test, and a row that does not hold is not counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from table import FAULTS, Table

HERE = Path(__file__).parent
DOC = """A fault.

Exception: we do something else,
for a reason.
"""


def test_every_fault_has_a_test() -> None:
    files = [*HERE.glob("test_fault_*.py"), *(HERE.parent / "browser").glob("test_fault_*.py")]
    names = re.findall(r"^def test_f(\d+)_", "\n".join(file.read_text() for file in files), re.MULTILINE)
    assert {int(name) for name in names} == set(FAULTS) == set(range(1, 94))


@dataclass
class Report:
    nodeid: str
    outcome: str = "passed"
    when: str = "call"

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


def collected(table: Table, name: str, doc: str = DOC) -> str:
    nodeid = f"tests/faults/test_fault_x.py::{name}"
    item: Any = SimpleNamespace(nodeid=nodeid, obj=SimpleNamespace(__doc__=doc))
    table.pytest_itemcollected(item)
    return nodeid


def told(table: Table, **facts: Any) -> None:
    report: Any = Report(**facts)
    table.pytest_runtest_logreport(report)


def test_a_row_holds_when_all_its_tests_passed() -> None:
    table = Table()
    one, other = collected(table, "test_f07_one[a]"), collected(table, "test_f7_other", "Another.")
    told(table, nodeid=one)
    told(table, nodeid=other)
    row = table.rows[7]
    assert (row.fault, row.result, row.exceptions) == (
        "A fault",
        "holds",
        ["we do something else, for a reason."],
    )
    assert row.tests == ["test_fault_x.py::test_f07_one", "test_fault_x.py::test_f7_other"]
    assert str(table).endswith("1 of 93 rows hold, 1 with an exception")
    assert not table.holds


@pytest.mark.parametrize(
    ("outcome", "when", "result"),
    [
        ("failed", "call", "failed"),
        ("failed", "setup", "failed"),
        ("failed", "teardown", "failed"),
        ("skipped", "setup", "skipped"),
    ],
)
def test_a_row_of_which_one_test_did_not_pass_does_not_hold(outcome: str, when: str, result: str) -> None:
    table = Table()
    one, other = collected(table, "test_f07_one"), collected(table, "test_f07_other")
    told(table, nodeid=one)
    told(table, nodeid=other)
    told(table, nodeid=other, outcome=outcome, when=when)
    assert table.rows[7].result == result
    assert str(table).endswith("0 of 93 rows hold, 0 with an exception")


def test_what_did_not_run_does_not_hold() -> None:
    table = Table()
    collected(table, "test_f93_one")
    collected(table, "test_another_thing")
    assert (table.rows[93].result, table.rows[92].result) == ("not run", "NO TEST")
    told(table, nodeid=collected(table, "test_f93_other"))
    assert table.rows[93].result == "not run"
