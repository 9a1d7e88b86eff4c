"""A trace file says where its run comes from without being read to its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_examples import Story

from rlm_kernel.trace import Origin, Peek, peek, save

ORIGIN = Origin(kind="fork", run="papers-1", at="0.3", edit={"hint": "look again " * 200})


def fork(folder: Path) -> Path:
    """A file with a fork whose question is long."""
    story = Story("Which papers disagree? " * 100, run_id="fork-1", origin=ORIGIN)
    story.root()
    story.finish("0", answer="1", how="FINAL")
    return save(story.end(answer="1"), folder / "fork-1.rlm.jsonl")


def test_a_fork_names_its_parent_and_how_it_ended(tmp_path: Path) -> None:
    assert peek(fork(tmp_path)) == Peek(
        run_id="fork-1", kind="fork", parent="papers-1", at="0.3", status="finished"
    )


def test_one_that_was_cut_off_says_so(tmp_path: Path) -> None:
    path = fork(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    found = peek(path)
    assert found is not None
    assert found.status == "cut off"


def test_a_run_of_its_own_is_none(tmp_path: Path) -> None:
    story = Story()
    story.root()
    assert peek(save(story.end(), tmp_path / "own.rlm.jsonl")) is None


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert peek(tmp_path / "none.rlm.jsonl") is None
    assert peek(tmp_path) is None


@pytest.mark.parametrize("origin", ['"papers-1"', '{"kind":"theft","run":"r"}', '{"kind":"fork","run":7}'])
def test_an_origin_that_makes_no_sense_is_none(tmp_path: Path, origin: str) -> None:
    path = tmp_path / "odd.rlm.jsonl"
    path.write_text(f'{{"type":"run_started","run_id":"r","origin":{origin}}}\n')
    assert peek(path) is None


@given(data=st.binary(max_size=300), at=st.floats(0, 1))
def test_no_file_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, data: bytes, at: float) -> None:
    folder = tmp_path_factory.mktemp("peek")
    path = fork(folder)
    whole = path.read_bytes()
    place = int(at * len(whole))
    path.write_bytes(whole[:place] + data + whole[place:])
    found = peek(path)
    assert found is None or isinstance(found, Peek)
