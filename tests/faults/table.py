"""`make faults`: runs the fault list and prints it as a table.

A row of the list is a test whose name begins with its number, `test_f07_…`. The first line of its docstring is the fault;
a paragraph `Exception: …` says where we do something else than the row asks for, and why. A row holds when each of its
tests passed, and there has to be one for every number.
"""

from __future__ import annotations

import platform
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAULTS = range(1, 94)
_NUMBER = re.compile(r"test_f0*(\d+)_")
_EXCEPTION = re.compile(r"^\s*Exception: (.*?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_FAULT_CHARS, _TEST_CHARS = 46, 78


@dataclass
class Row:
    """One fault: the tests of it, what came of each, and where we do something else on purpose."""

    number: int
    fault: str = ""
    exceptions: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def result(self) -> str:
        if not self.tests:
            return "NO TEST"
        found = set(self.outcomes.values())
        all_ran = self.wanted <= set(self.outcomes)
        return next(
            (each for each in ("failed", "skipped") if each in found), "holds" if all_ran else "not run"
        )

    def add(self, nodeid: str, docstring: str) -> None:
        self.wanted.add(nodeid)
        name = _short(nodeid).partition("[")[0]
        if name not in self.tests:
            self.tests.append(name)
        self.fault = self.fault or docstring.strip().partition("\n")[0].rstrip(".")
        for said in _EXCEPTION.findall(docstring):
            if " ".join(said.split()) not in self.exceptions:
                self.exceptions.append(" ".join(said.split()))

    def __str__(self) -> str:
        more = f" +{len(self.tests) - 1}" if len(self.tests) > 1 else ""
        name = _shortened(self.tests[0] if self.tests else "", _TEST_CHARS - len(more)) + more
        fault = _shortened(self.fault, _FAULT_CHARS)
        line = f"{self.number:>3}  {fault:<{_FAULT_CHARS}}  {name:<{_TEST_CHARS}}  {self.result}"
        return "\n".join([line, *(_wrapped(f"exception: {said}") for said in self.exceptions)])


class Table:
    """The rows as the tests of a pytest session bring them."""

    def __init__(self) -> None:
        self.rows = {number: Row(number) for number in FAULTS}

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        row = self._row(item.nodeid)
        if row is not None:
            row.add(item.nodeid, getattr(item, "obj", None).__doc__ or "")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = self._row(report.nodeid)
        if row is not None and (report.when == "call" or not report.passed):
            row.outcomes[report.nodeid] = report.outcome

    def _row(self, nodeid: str) -> Row | None:
        found = _NUMBER.match(nodeid.rpartition("::")[2])
        return self.rows.get(int(found[1])) if found else None

    @property
    def holds(self) -> bool:
        """Whether every row has a test that passed."""
        return all(row.result == "holds" for row in self.rows.values())

    def __str__(self) -> str:
        rows = self.rows.values()
        held = [row for row in rows if row.result == "holds"]
        besides = sum(bool(row.exceptions) for row in held)
        said = f"{len(held)} of {len(FAULTS)} rows hold, {besides} with an exception"
        return "\n".join([_system(), *map(str, rows), said])


def _short(nodeid: str) -> str:
    path, _, name = nodeid.partition("::")
    return f"{Path(path).name}::{name}"


def _shortened(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 130, initial_indent=" " * 5, subsequent_indent=" " * 7)


def _system() -> str:
    from rlm_kernel.repl.isolation import obtain  # the rest of this file needs no package

    level = obtain("auto").isolation
    return f"{platform.system()} {platform.release()}, Python {platform.python_version()}, workers {level}"


def main(arguments: list[str]) -> int:
    """Runs the tests of the fault list; `arguments` are passed on to pytest."""
    table = Table()
    browser = sorted(str(path) for path in HERE.parent.joinpath("browser").glob("test_fault_*.py"))
    ended = pytest.main([str(HERE), *browser, "-q", *arguments], plugins=[table])
    print(table)
    return 0 if ended == 0 and table.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
