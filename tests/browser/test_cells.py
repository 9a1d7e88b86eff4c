"""From a tree in a notebook without a kernel: the cell that does what a button would, and what the buttons need."""

from __future__ import annotations

import nbformat
from lab_page import Lab
from playwright.sync_api import expect
from trace_examples import cut_off

from rlm_kernel.views import mime_bundle

expect.set_options(timeout=15_000)


def test_without_a_kernel_an_action_becomes_a_cell_below_its_run(lab: Lab) -> None:
    output = nbformat.v4.new_output("display_data", mime_bundle(cut_off()))
    asked = nbformat.v4.new_code_cell("%%rlm papers\nWhat?", outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "rlm", "display_name": "Python 3"}})
    notebook.cells = [nbformat.v4.new_markdown_cell("# Papers"), asked, nbformat.v4.new_code_cell("1 + 1")]
    with lab.without_kernels() as other:
        other.store("cells.ipynb", notebook)
        opened = other.open("cells.ipynb", kernel=False)
        opened.show(1)
        view = opened.run_view(1)
        view.locator('.rlm-row[data-key="0@1"]').click()
        view.get_by_role("button", name="Fork…").click()
        form = view.locator(".rlm-form")
        expect(form.get_by_role("button", name="Run it")).to_be_disabled()
        expect(form).to_contain_text("needs a kernel with rlm_kernel: run a cell, then %load_ext rlm_kernel")
        form.get_by_role("radio", name="Hint").check()
        form.get_by_label("Hint", exact=True).last.fill("Look at 2020, it's there.")
        form.get_by_role("button", name="Insert cell").click()
        expect(opened.cell(3)).to_contain_text("1 + 1")

        view.get_by_role("button", name="Resume…").first.click()
        form.get_by_label("Turns").fill("30")
        form.get_by_role("button", name="Insert cell").click()
        expect(opened.cell(4)).to_contain_text("1 + 1")
        assert [cell["source"] for cell in opened.cells] == [
            "# Papers",
            "%%rlm papers\nWhat?",
            "%rlm resume papers-1 --max-turns 30",
            "%rlm fork papers-1 0.1 --hint 'Look at 2020, it'\"'\"'s there.'",
            "1 + 1",
        ]


def test_the_palette_opens_the_forms_of_the_run(lab: Lab) -> None:
    output = nbformat.v4.new_output("display_data", mime_bundle(cut_off()))
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "rlm", "display_name": "Python 3"}})
    notebook.cells = [nbformat.v4.new_code_cell("%%rlm papers\nWhat?", outputs=[output], execution_count=1)]
    with lab.without_kernels() as other:
        other.store("palette.ipynb", notebook)
        opened = other.open("palette.ipynb", kernel=False)
        opened.show(0)
        form = opened.run_view(0).locator(".rlm-form")
        for label, told in (
            ("Replay the Run…", "no model is asked"),
            ("Resume the Run…", "goes on where this one stopped"),
        ):
            other.palette(label)
            expect(form).to_contain_text(told)
