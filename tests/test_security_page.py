"""What SECURITY.md promises has tests, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rlm_kernel.repl.isolation import CHOICES, KERNEL, POLICY_FILE

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = re.split(r"^\*\*(?=P\d\.)", PAGE.partition("## What is not promised")[0], flags=re.MULTILINE)[1:]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def functions_in(file: str) -> set[str]:
    """The names of the tests in a file, those in classes too."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_there_are_nine_promises() -> None:
    assert [promise[:2] for promise in PROMISES] == [f"P{number}" for number in range(1, 10)]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[:2])
def test_each_test_behind_a_promise_exists(promise: str) -> None:
    named = TEST.findall(promise)
    assert len(named) >= 3
    assert len(named) == promise.count("::")
    for file, test in named:
        assert test in functions_in(file), f"{file} has no {test}"


def test_the_levels_have_their_names() -> None:
    levels = set(re.findall(r"^\| `([\w:]+)` \|", PAGE, re.MULTILINE))
    assert levels == {"inline", "worker", "guarded", "bwrap", f"{KERNEL}NAME"}
    assert {"auto", "strict"} <= set(CHOICES)
    assert "`auto`" in PAGE and "`strict`" in PAGE and POLICY_FILE in PAGE
