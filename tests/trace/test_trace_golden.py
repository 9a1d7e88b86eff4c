"""Golden traces: files that must open, as long as their format is read, to the tree beside them."""

from pathlib import Path

import pytest
from make_golden import GOLDEN, golden
from trace_examples import STORIES, outline

from rlm_kernel.trace import load, save
from rlm_kernel.views import text_tree

FILES = sorted(GOLDEN.glob("*.rlm.jsonl"))


def test_every_story_has_its_file() -> None:
    assert [path.name.removesuffix(".rlm.jsonl") for path in FILES] == sorted(STORIES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_golden_trace_opens_to_its_tree(path: Path) -> None:
    expected = path.with_name(path.name.replace(".rlm.jsonl", ".txt")).read_text("utf-8")
    assert f"{text_tree(load(path))}\n" == expected


@pytest.mark.parametrize("name", STORIES)
def test_a_golden_trace_is_what_its_story_writes(name: str) -> None:
    for file, content in golden(name).items():
        assert (GOLDEN / file).read_bytes() == content, "run: python tests/trace/make_golden.py --write"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_golden_trace_survives_being_saved(path: Path, tmp_path: Path) -> None:
    assert outline(load(save(load(path), tmp_path / "copy.rlm.jsonl"))) == outline(load(path))
