"""A run whose code does something else when it is done again."""

from __future__ import annotations

from pathlib import Path

from scripts import ask, code, submit

from rlm_kernel import Run


def childless_again(folder: Path) -> Run:
    """A run with a child `0.1.1`, which its code does not ask for the next time."""
    file = folder / "data"
    file.write_text("yes")
    run, _ = ask(
        code(f"if open({str(file)!r}).read() == 'yes': rlm_query('q', context='c')"),
        submit("'done'"),
        child=lambda request: submit("context"),
        readable=(str(file),),
    )
    file.write_text("no")
    return run
