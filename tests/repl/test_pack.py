"""What it takes to pack a context: a little memory, however large it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

SOURCE = """
import re
from pathlib import Path
import numpy as np, pandas as pd
from rlm_kernel.repl.pack import pack_context

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

pack_context(pd.DataFrame({"warm": np.zeros(400_000)})).close()
pack_context("é" * 3_000_000).close()
"""
MEASURE = """
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
packed = pack_context(context)
print((memory("VmHWM") - before) // 1024, packed.size // 2**20)
"""
CONTEXTS = {
    "text": 'context = "a text of " * 2**24',
    "wide text": 'context = "\\N{GRINNING FACE}" * 2**25',
    "bytes": "context = bytes(2**27)",
    "texts": 'context = ["a text of " * 100 + str(n) for n in range(130_000)]',
    "texts by name": 'context = {str(n): "a text of " * 100 for n in range(130_000)}',
    "columns": 'context = pd.DataFrame({name: np.random.rand(2**22) for name in "abcd"})',
    "rows": "context = pd.DataFrame(np.random.rand(2**22, 4))",
    "array": "context = [np.random.rand(2**24)]",
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux has it")
@pytest.mark.parametrize("make", CONTEXTS.values(), ids=CONTEXTS)
def test_the_notebook_needs_little_memory_of_its_own_for_it(make: str) -> None:
    code = SOURCE + make + MEASURE
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grew, size = map(int, done.stdout.split())
    assert size >= 120
    assert grew < 20
