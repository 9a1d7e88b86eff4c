"""How long an import takes inside a fresh interpreter."""

import subprocess
import sys
from tempfile import TemporaryDirectory

from benchmarks.runner import ROOT, RunFailedError, child_environment
from benchmarks.tables import Samples

# Each snippet imports what it needs before its clock starts and prints milliseconds.
_TIMED_IMPORT = """
import time
start = time.perf_counter()
{statement}
print((time.perf_counter() - start) * 1000)
"""
_TIMED_LOAD = """
import time
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
HistoryManager.enabled = False
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "rlm_kernel")
took = time.perf_counter() - start
assert "rlm_kernel" in shell.extension_manager.loaded
print(took * 1000)
"""


def import_times_ms(runs: int) -> dict[str, Samples]:
    """Times of importing `rlm_kernel` (`package`), its `RLM` (`class`), `rlm`, and of `%load_ext`, interleaved."""
    snippets = {
        "package": _TIMED_IMPORT.format(statement="import rlm_kernel"),
        "class": _TIMED_IMPORT.format(statement="from rlm_kernel import RLM"),
        "rlm": _TIMED_IMPORT.format(statement="import rlm"),
        "load_ext": _TIMED_LOAD,
    }
    times: dict[str, list[float]] = {name: [] for name in snippets}
    # The first round compiles the modules, which happens once per installation, and is not counted.
    for round_number in range(runs + 1):
        for name, snippet in snippets.items():
            took_ms = _run_snippet(snippet)
            if round_number:
                times[name].append(took_ms)
    return {name: tuple(samples) for name, samples in times.items()}


def _run_snippet(snippet: str) -> float:
    with TemporaryDirectory(prefix="rlm-bench-ipython-") as profile:
        done = subprocess.run(
            [sys.executable, "-c", snippet],
            cwd=ROOT,
            env=child_environment() | {"IPYTHONDIR": profile},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    if done.returncode:
        raise RunFailedError(f"an import failed:\n{done.stderr[-3000:]}")
    return float(done.stdout.splitlines()[-1])
