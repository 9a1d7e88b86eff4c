"""Fault 85 in a terminal: a hostile run as text, as Markdown, as the source of pages."""

from __future__ import annotations

import json
import unicodedata

from hostile import FIRE, PAYLOADS, hostile_run

from rlm_kernel.run import Run
from rlm_kernel.views import call_text, text_tree
from rlm_kernel.views.compare import compare
from rlm_kernel.views.notebook import notebook_json

SEEN = frozenset("\n\t")


def hidden(text: str) -> set[str]:
    """The characters in a text that a terminal obeys or that a person cannot see."""
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - SEEN


def test_f85_in_a_terminal_no_text_does_anything() -> None:
    """Attacks in every text of a run: escape sequences and characters that hide others, in a terminal."""
    run = Run(hostile_run())
    texts = [text_tree(run.trace), str(run), repr(run), str(run["0.3"]), str(run["0.3.1"])]
    texts += [call_text(call) for call in run.walk()]
    texts.append(str(compare(run.trace, hostile_run("other", last=FIRE))))
    assert sum(FIRE in text for text in texts) > 30
    for text in texts:
        assert hidden(text) == set()
    # They are told and not left out.
    assert "\\u001b]52;c;" in call_text(run["0"].call) and "\\u202e" in call_text(run["0"].call)


def test_f85_the_notebook_of_a_run_has_texts_only_as_code() -> None:
    """Attacks in every text of a run: the Markdown cells of the notebook that is made of it."""
    notebook = json.loads(notebook_json(hostile_run()))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert len(cells) > len(PAYLOADS)
    for cell in cells:
        rest = outside_of_code("".join(cell["source"]))
        assert "<" not in rest and "](" not in rest and "pwned" not in rest and "$" not in rest, rest
        assert hidden("".join(cell["source"])) == set()


def outside_of_code(text: str) -> str:
    """Markdown without its fenced blocks and its spans of code, which are read as CommonMark reads them."""
    out, fence = [], ""
    for line in text.split("\n"):
        bare = line.strip(" ")
        ticks = len(bare) - len(bare.lstrip("`"))
        if fence:
            fence = "" if bare == "`" * ticks and ticks >= len(fence) else fence
        elif ticks >= 3 and "`" not in bare[ticks:]:
            fence = "`" * ticks
        else:
            out.append(line)
    rest, kept = "\n".join(out), ""
    while "`" in rest:
        before, _, rest = rest.partition("`")
        size = 1 + len(rest) - len(rest.lstrip("`"))
        rest, mark = rest.lstrip("`"), "`" * size
        at = rest.find(mark)
        while at >= 0 and (rest[at + size : at + size + 1] == "`" or rest[at - 1 : at] == "`"):
            end = at + len(rest[at:]) - len(rest[at:].lstrip("`"))
            at = rest.find(mark, end)
        kept += before
        rest = rest[at + size :] if at >= 0 else rest
    return kept + rest
