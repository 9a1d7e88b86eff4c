"""What the README shows is true."""

from __future__ import annotations

import re
from pathlib import Path

from rlm_kernel.magic import RlmMagics

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_its_example_without_a_model_runs() -> None:
    examples = [
        block
        for block in re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
        if "ScriptedModel" in block
    ]
    assert len(examples) == 1
    exec(examples[0], {})


def test_its_options_exist() -> None:
    options = {option for action in RlmMagics.rlm.parser._actions for option in action.option_strings}
    assert set(re.findall(r"--[a-z][a-z-]+", README)) <= options


def test_its_two_commands_are_in_the_makefile() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    for command in re.findall(r"make ([a-z]+)", README):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
