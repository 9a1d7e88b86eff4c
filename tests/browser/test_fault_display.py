"""Faults 85 and 86, and 91 and 92 as they are seen: a stranger's run in every place where it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from acting_page import build, opened
from hostile import ALL, FIRE, PAYLOADS, Watch, everywhere, hostile_run
from lab_page import Lab, Notebook
from playwright.sync_api import Browser, Page, expect
from server import Answer, ChatServer, by_kind, chat, error

from rlm_kernel.run import Run
from rlm_kernel.trace import save
from rlm_kernel.views import mime_bundle
from rlm_kernel.views.compare import compare

expect.set_options(timeout=15_000)
MIME = "application/vnd.rlm.trace+json"
READ = "window.__pwned"
WHOLE = "\n".join(each for each in PAYLOADS if "\ud800" not in each)
"""What a file can hold as it is."""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def watch(page: Page) -> Watch:
    return Watch(page)


def test_f85_in_a_page_of_its_own_no_text_comes_to_life(page: Page, watch: Watch, tmp_path: Path) -> None:
    """Attacks in every text of a run: the page, its tree, table, timeline and details."""
    page.goto(Run(hostile_run()).to_html(tmp_path / "run.html").as_uri())
    view = page.locator(".rlm-run")
    view.wait_for()
    places = 0
    for detail in everywhere(view):
        places += READ in detail.inner_text()
        watch.check(view)
    assert places > 3 * len(PAYLOADS)
    search = view.get_by_role("searchbox")
    search.fill(f'"{PAYLOADS[0]}"')
    page.wait_for_timeout(300)
    watch.check(view)
    for more in view.get_by_role("button", name="More").all():
        more.click()
        watch.check(page.locator("body > *:not(script):not(style):not(noscript)"))
        page.keyboard.press("Escape")


def test_f85_in_a_static_page_no_text_comes_to_life(page: Page, watch: Watch, tmp_path: Path) -> None:
    """Attacks in every text of a run: the page without scripts, and the comparison of two runs."""
    run = hostile_run()
    Run(run).to_html(tmp_path / "run.html", interactive=False)
    compared = f"<meta charset=utf-8>{compare(run, hostile_run('other', last=ALL[::-1]))._repr_mimebundle_()['text/html']}"
    (tmp_path / "compared.html").write_text(compared, encoding="utf-8")
    (tmp_path / "fragment.html").write_text(f"<meta charset=utf-8>{mime_bundle(run)['text/html']}", "utf-8")
    for name in ("run", "compared", "fragment"):
        page.goto((tmp_path / f"{name}.html").as_uri())
        page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert READ in page.locator("body").inner_text()
        watch.check(page.locator("body"))


def test_f85_two_hostile_runs_side_by_side(chromium: Browser, tmp_path: Path) -> None:
    """Attacks in every text of two runs that are compared."""
    with opened(chromium, build(tmp_path), "light", 1300) as acting:
        watch = Watch(acting.page)
        acting.saved(hostile_run())
        fork = hostile_run("papers-1-fork", last=ALL[::-1])
        acting.made("papers-1-fork", "fork", "0.2")
        acting.more(fork, 0, run="papers-1-fork", goes_on=False)
        view = acting.page.locator(".rlm-run").first
        for number, _ in enumerate(everywhere(view, every=3)):
            if number % 10 == 0:
                watch.check(acting.page.locator("body > *:not(script)"))
        for button in acting.page.get_by_role("button", name="Compare").all():
            if button.is_visible():
                button.click()
                acting.settle()
                watch.check(acting.page.locator("body > *:not(script)"))


def notebook_of(lab: Lab, path: str) -> str:
    """A stranger's notebook: a run as the extension draws it, as it is without one, and as text."""
    bundle = mime_bundle(hostile_run(), inline_kb=4096)
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "rlm", "display_name": "Python 3"}})
    for kinds in ((MIME, "text/html", "text/plain"), ("text/html", "text/plain"), ("text/plain",)):
        output = nbformat.v4.new_output("display_data", {kind: bundle[kind] for kind in kinds})
        made.cells.append(nbformat.v4.new_code_cell(f"%%rlm x\n{WHOLE}", outputs=[output], execution_count=1))
    lab.store(path, made)
    return path


@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
def test_f85_in_a_notebook_no_text_comes_to_life(lab: Lab, trusted: bool) -> None:
    """Attacks in every text of a run: a saved notebook that is only opened, trusted and not."""
    with lab.without_kernels() as other:
        watch = Watch(other.page)
        notebook = other.open(notebook_of(other, f"foreign-{trusted}.ipynb"), kernel=False)
        if trusted:
            other.page.evaluate(
                "() => { for (const cell of window.jupyterapp.shell.currentWidget.content.widgets)"
                " cell.model.trusted = true; }"
            )
        assert notebook.is_trusted(0) == trusted
        notebook.show(0)
        view = notebook.run_view(0)
        for number, _ in enumerate(everywhere(view, every=7)):
            if number % 10 == 0:
                watch.check(view)
        watch.check(view)
        for at in (1, 2):
            notebook.show(at)
            output = notebook.output(at)
            output.evaluate_all(
                "all => all.forEach(one => one.querySelectorAll('details').forEach(each => { each.open = true; }))"
            )
            assert READ in notebook.text(at)
            watch.check(output, jupyter=True)


def test_f85_a_run_that_was_made_a_notebook_or_a_file(lab: Lab) -> None:
    """Attacks in every text of a run: the notebook that is made of it, and its trace in a tab."""
    with lab.without_kernels() as other:
        watch = Watch(other.page)
        Run(hostile_run()).to_notebook(other.server.notebooks / "exported.ipynb")
        other.open("exported.ipynb", kernel=False)
        cells = other.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-RenderedMarkdown")
        outputs = other.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output")
        for at in range(0, 80, 4):
            other.page.evaluate("at => window.jupyterapp.shell.currentWidget.content.scrollToItem(at)", at)
            other.page.wait_for_timeout(50)
            watch.check(cells, jupyter=True)
            watch.check(outputs, jupyter=True)
        assert cells.count() > 0

        trace = save(hostile_run(), other.server.notebooks / "foreign.rlm.jsonl")
        other.command("docmanager:open", path=trace.name)
        view = other.page.locator(".rlm-file:visible .rlm-run")
        view.wait_for()
        for number, _ in enumerate(everywhere(view, every=7)):
            if number % 10 == 0:
                watch.check(view)
        watch.check(view)


def block(*lines: str) -> str:
    return "```repl\n" + "\n".join(lines) + "\n```"


def test_f85_while_it_runs_and_in_its_error_no_text_comes_to_life(lab: Lab) -> None:
    """Attacks in what a live model says, and in the error that its server ends the run with."""
    bad = WHOLE
    asks = block(f"bad = {bad!r}", "print(bad)", "llm_query(bad)", f"raise ValueError({bad!r})")
    ends = error(400, bad)
    live = Answer(body=chat(f"{bad}\n{asks}", model=bad, message={"reasoning_content": bad}), delay=0.4)
    with ChatServer(by_kind([live, ends], Answer(body=chat(bad, model=bad), delay=0.4))) as server:
        watch = Watch(lab.page)
        lab.load()
        asking = f"%%rlm papers -o run --model small --base-url {server.url}\n{bad}"
        notebook = lab.open(lab.write("live.ipynb", "papers = 'x'", asking))
        notebook.run(0, 1)
        assert "will not take the request" in notebook.text(1)
        _check_outputs(notebook, watch)


def _check_outputs(notebook: Notebook, watch: Watch) -> None:
    view = notebook.run_view(1)
    for _ in everywhere(view):
        pass
    watch.check(view)
    watch.check(notebook.output(1), jupyter=True)


@pytest.mark.parametrize("interactive", [True, False], ids=["page", "static page"])
def test_f86_nothing_is_fetched_for_an_answer(
    page: Page, watch: Watch, tmp_path: Path, interactive: bool
) -> None:
    """Images and style sheets of others in an answer."""
    fetches = "\n".join(each for each in PAYLOADS if "stranger" in each)
    address = Run(hostile_run(last=fetches)).to_html(tmp_path / "run.html", interactive=interactive).as_uri()
    page.goto(address)
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.wait_for_timeout(500)
    assert "stranger.invalid" in page.locator("body").inner_text()
    assert watch.asked == [address]


def test_f91_of_a_newer_format_the_static_tree_is_shown(lab: Lab) -> None:
    """A run of a format that is not known, in a saved notebook."""
    bundle = mime_bundle(hostile_run(), inline_kb=4096)
    bundle[MIME] = {**bundle[MIME], "format": 99}
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "rlm", "display_name": "Python 3"}})
    output = nbformat.v4.new_output("display_data", bundle)
    made.cells = [nbformat.v4.new_code_cell("%%rlm x\nWhy?", outputs=[output], execution_count=1)]
    with lab.without_kernels() as other:
        watch = Watch(other.page)
        other.store("newer.ipynb", made)
        notebook = other.open("newer.ipynb", kernel=False)
        notebook.show(0)
        expect(notebook.output(0).get_by_role("alert")).to_contain_text(
            "written by a newer rlm_kernel: update it"
        )
        assert notebook.output(0).locator("details").count() > 1
        watch.check(notebook.output(0), jupyter=True)


def test_f92_a_strangers_run_that_is_opened_starts_no_kernel(lab: Lab) -> None:
    """A stranger's run, opened where there could be a kernel."""
    lab.load()
    before = lab.page.evaluate(
        "async () => { await window.jupyterapp.serviceManager.sessions.refreshRunning();"
        " return [...window.jupyterapp.serviceManager.sessions.running()].length; }"
    )
    watch = Watch(lab.page)
    trace = save(hostile_run(), lab.server.notebooks / "opened.rlm.jsonl")
    lab.command("docmanager:open", path=trace.name)
    view = lab.page.locator(".rlm-file:visible .rlm-run")
    view.wait_for()
    view.locator(".rlm-row[data-key]").first.click()
    watch.check(view)
    after = lab.page.evaluate(
        "async () => { await window.jupyterapp.serviceManager.sessions.refreshRunning();"
        " return [...window.jupyterapp.serviceManager.sessions.running()].length; }"
    )
    assert after == before
    assert [url for url in watch.asked if "/api/sessions" in url and "POST" in url] == []
    assert FIRE in view.inner_text()
