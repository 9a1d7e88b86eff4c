"""What a user grants to the model's code, and that it is no more: memory, files, a level of isolation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripts import ask, code

from rlm_kernel import RLM, ScriptedModel
from rlm_kernel.errors import ConfigError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a file, beside another one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "given.txt").write_text("given")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.txt").write_text("canary")
    return tmp_path


READ = """
for path in {paths}:
    try: print(open(path).read())
    except OSError as error: print(type(error).__name__)
"""


def what_is_read(readable: list[str], *paths: Path) -> list[str]:
    """The content of each file, or how it was refused."""
    block = READ.format(paths=[str(path) for path in paths])
    run, _ = ask(code(block), code("FINAL(1)"), isolation="strict", readable=readable)
    executed = run["0"].turns[0].blocks[0].executed
    assert executed is not None
    return executed.stdout.splitlines()


def test_a_file_that_is_readable_is_read_and_nothing_else(data: Path) -> None:
    given, secret = data / "data" / "given.txt", data / "other" / "secret.txt"
    (data / "data" / "beside.txt").write_text("canary")
    assert what_is_read([], given, secret) == ["PermissionError"] * 2
    assert what_is_read(["data"], given, secret) == ["given", "PermissionError"]
    read = what_is_read([str(given)], given, secret, data / "data" / "beside.txt")
    assert read == ["given", "PermissionError", "PermissionError"]


def test_what_is_readable_cannot_be_written(data: Path) -> None:
    block = f"open({str(data / 'data' / 'given.txt')!r}, 'a')"
    run, _ = ask(code(block), code("FINAL(1)"), isolation="strict", readable=["data"])
    assert run["0"].turns[0].blocks[0].executed.error.type == "PermissionError"  # type: ignore[union-attr]
    assert (data / "data" / "given.txt").read_text() == "given"


def test_a_link_in_a_readable_folder_leads_nowhere(data: Path) -> None:
    (data / "data" / "link.txt").symlink_to(data / "other" / "secret.txt")
    assert what_is_read(["data"], data / "data" / "link.txt") == ["PermissionError"]


def test_the_trace_says_what_was_granted(data: Path) -> None:
    run, _ = ask(code("FINAL(1)"), isolation="worker", memory_mb=500, readable=["data"])
    started = run.trace.started
    assert started is not None
    granted = {name: started.settings[name] for name in ("isolation", "memory_mb", "readable")}
    assert granted == {"isolation": "worker", "memory_mb": 500, "readable": ["data"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"readable": ["nowhere"]}, r"nowhere was to be readable .*, and it is not there \(.*/nowhere\)"),
        ({"readable": "data"}, r"readable takes a list of paths, not 'data': readable=\['data'\]"),
        ({"readable": [Path("data")]}, r"readable takes a list of paths"),
        ({"memory_mb": 10}, r"memory_mb must be at least 64, not 10"),
        ({"memory_mb": "1 GB"}, r"memory_mb takes a number, not '1 GB'"),
        ({"isolation": "sandbox"}, r"there is no isolation 'sandbox': choose auto, strict"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(options: dict[str, Any], said: str) -> None:
    model = ScriptedModel([code("FINAL(1)")])
    with pytest.raises(ConfigError, match=said) as caught:
        RLM(model=model, trace_dir=None, **options).run("What?", context="text")
    assert caught.value.setting == next(iter(options))
    assert model.requests == []


def test_memory_is_limited_as_asked_beside_the_context() -> None:
    fits, more = "x = bytearray(60 * 2**20)\nx = None", "x = bytearray(200 * 2**20)"
    for context in ("text", "large" * 2**22):
        run, _ = ask(code(fits), code(more), code("FINAL(len(context))"), context=context, memory_mb=100)
        blocks = [turn.blocks[0].executed for turn in run["0"].turns]
        assert [str(block and block.error) for block in blocks[:2]] == ["None", "MemoryError"]
        assert run.answer == str(len(context))
