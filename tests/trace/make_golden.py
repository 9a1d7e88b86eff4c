"""Golden traces: `python tests/trace/make_golden.py --write` writes them; without the flag it says what differs.

Each story of `trace_examples` becomes `golden/<name>.rlm.jsonl`, the file a run like that leaves on disk, and
`golden/<name>.txt`, the text tree that a reader of the file sees. Read the difference before you commit it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from trace_examples import STORIES

from rlm_kernel.trace import SUFFIX, load
from rlm_kernel.views import text_tree

GOLDEN = Path(__file__).with_name("golden")


def golden(name: str) -> dict[str, bytes]:
    """The files of a story by their names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}{SUFFIX}")
        STORIES[name](path)
        return {path.name: path.read_bytes(), f"{name}.txt": f"{text_tree(load(path))}\n".encode()}


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 1 when a file differs and is not written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the files")
    write = parser.parse_args(arguments).write
    differing = 0
    for name in STORIES:
        for file, content in golden(name).items():
            path = GOLDEN / file
            if path.exists() and path.read_bytes() == content:
                continue
            differing += 1
            print(f"{'writes' if write else 'differs:'} {file}")
            if write:
                path.write_bytes(content)
    return 1 if differing and not write else 0


if __name__ == "__main__":
    sys.exit(main())
