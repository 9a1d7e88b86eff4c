"""A fresh interpreter that is given a packed context, as a worker is."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

from rlm_kernel.repl.pack import Packed

LOAD = """\
import os, sys
from rlm_kernel.repl.routes import decode
context = decode({route!r}, {fd}, {size})
"""


def in_fresh_process(packed: Packed, code: str) -> str:
    """What the code prints that finds the context decoded."""
    load = LOAD.format(route=packed.route, fd=packed.fd, size=packed.size)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", load + dedent(code)],
        capture_output=True,
        check=False,
        text=True,
        pass_fds=[packed.fd],
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
