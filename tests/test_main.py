"""`python -m rlm_kernel install`: a kernel with the magics loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import run_kernel

import rlm_kernel
from rlm_kernel.__main__ import main


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(rlm_kernel.__file__).parents[1]
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    )
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "user"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def test_the_installed_kernel_starts_with_the_magic_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rlm_kernel", "install", "--prefix", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    place = tmp_path / "share" / "jupyter" / "kernels" / "rlm"
    assert done.stdout == f"installed the kernel 'rlm' in {place}\n"
    assert done.stderr == ""

    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    with run_kernel(kernel_name="rlm", cwd=str(tmp_path)) as client:
        said: list[str] = []
        reply = client.execute_interactive(
            "%rlm help",
            timeout=30,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
    assert reply["content"]["status"] == "ok"
    assert "%rlm doctor" in "".join(said)


def test_the_spec_is_this_interpreter_with_the_extension(tmp_path: Path) -> None:
    assert main(["install", "--prefix", str(tmp_path), "--name", "mine", "--display-name", "Mine"]) == 0
    spec = json.loads((tmp_path / "share" / "jupyter" / "kernels" / "mine" / "kernel.json").read_text())
    assert spec["argv"][0] == sys.executable
    assert spec["argv"][-2:] == ["--ext", "rlm_kernel"]
    assert (spec["display_name"], spec["language"]) == ("Mine", "python")


def test_installing_again_replaces_the_kernel(tmp_path: Path) -> None:
    for shown in ("First", "Second"):
        assert main(["install", "--prefix", str(tmp_path), "--display-name", shown]) == 0
    spec = json.loads((tmp_path / "share" / "jupyter" / "kernels" / "rlm" / "kernel.json").read_text())
    assert spec["display_name"] == "Second"


def test_user_is_the_place_of_the_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--user"]) == 0
    place = tmp_path / "user" / "kernels" / "rlm"
    assert (place / "kernel.json").is_file()
    assert str(place) in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["install", "--prefix", str(tmp_path / "file")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("cannot write the kernel: ")
    assert "--user" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["instal"], ["install", "--user", "--prefix", "x"]])
def test_a_wrong_command_line_shows_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m rlm_kernel" in capsys.readouterr().err
