"""Golden traces: `python tests/trace/make_golden.py --write` writes them; without the flag it says what differs.

Each story of `trace_examples` becomes `golden/<name>.rlm.jsonl`, the file a run like that leaves on disk,
`golden/<name>.txt`, the text tree that a reader of the file sees, `golden/<name>.tree.json`, its calls with their
roll-ups, `golden/<name>.ipynb`, the run as a notebook, and `golden/<name>.html`, as a page with a viewer that does
nothing. The front end's tests read them too. Read the difference before you commit it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trace_examples import STORIES

from rlm_kernel.trace import SUFFIX, Call, Trace, Turn, load
from rlm_kernel.views import text_tree
from rlm_kernel.views.notebook import notebook_json
from rlm_kernel.views.page import Viewer, html_page
from rlm_kernel.views.summary import code_line, groups, line, rollups

VIEWER = Viewer(script='"draw";', style="body { margin: 0 }")
GOLDEN = Path(__file__).with_name("golden")


def golden(name: str) -> dict[str, bytes]:
    """The files of a story by their names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}{SUFFIX}")
        STORIES[name](path)
        trace = load(path)
        tree = json.dumps(calls(trace), indent=1, ensure_ascii=True)
        return {
            path.name: path.read_bytes(),
            f"{name}.txt": f"{text_tree(trace)}\n".encode(),
            f"{name}.tree.json": f"{tree}\n".encode(),
            f"{name}.ipynb": notebook_json(trace).encode(),
            f"{name}.html": html_page(trace, VIEWER).encode(),
        }


def calls(trace: Trace) -> list[dict[str, Any]]:
    """What the tree of a trace comes to, a call each, parents first."""
    root = trace.root
    below = rollups(root) if root else {}
    return [
        {
            "id": call.id,
            "parent": call.parent.id if call.parent else None,
            "status": call.status,
            "model": call.model,
            "title": line(call.prompt),
            "answer": call.answer,
            "start": call.start,
            "end": call.end,
            "retries": call.retries,
            "calls": below[call.id].calls,
            "failed": below[call.id].failed,
            "usage": asdict(below[call.id].usage),
            "messages": [asdict(message) for message in call.messages()],
            "turns": [_turn(call, turn) for turn in call.turns],
        }
        for call in trace.walk()
    ]


def _turn(call: Call, turn: Turn) -> dict[str, Any]:
    return {
        "number": turn.number,
        "messages": len(call.messages(turn.number)),
        "reply": turn.reply.text if turn.reply else None,
        "code": code_line(turn),
        "blocks": [
            {
                "number": block.number,
                "shown": block.executed.shown if block.executed else None,
                "groups": [[sub.id for sub in group] for group in groups(block.calls)],
            }
            for block in turn.blocks
        ],
    }


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
