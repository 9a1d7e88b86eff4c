"""Takes the README's pictures anew: `python tests/browser/pictures.py` draws real runs of `--model demo` in JupyterLab."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from lab_page import JupyterServer, Lab, Notebook
from playwright.sync_api import Locator, sync_playwright

FOLDER = Path(__file__).parents[2] / "notebooks" / "pictures"
LOAD = """\
import sysconfig
from pathlib import Path

root = Path(sysconfig.get_path("stdlib"))
stdlib = {p.relative_to(root).as_posix(): p.read_text("utf-8", "replace")
          for p in sorted(root.rglob("*.py")) if "packages" not in str(p) and "test" not in str(p)}"""
ASK = "%%rlm stdlib -o run --model demo\nWhich class name is defined in the most modules?"
COUNT = "%%rlm stdlib -o run --model demo\nHow many modules import threading?"
FORK = """\
%%rlm fork run 0.2 --code
import ast

def names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module

places = [name for name, text in context.items() if "threading" in set(names(ast.parse(text)))]
result = f"{len(places)} of {len(context)} modules import 'threading' (by Python's own parser)."
print(result)"""
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")


def main() -> int:
    """Writes `tree.png`, `fork.png` and `timeline-dark.png`."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("needs Chromium on the PATH", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = JupyterServer(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 860}, device_scale_factor=1.5)
            lab = Lab(page, server, FOLDER)
            lab.command("application:toggle-left-area")
            _tree(_asked(lab, "tree.ipynb"), lab)
            _fork(_asked(lab, "fork.ipynb", COUNT, FORK), lab)
            lab.theme("JupyterLab Dark")
            _timeline(_asked(lab, "timeline.ipynb"), lab)
        finally:
            browser.close()
            server.close()
    return 0


def _asked(lab: Lab, path: str, *cells: str) -> Notebook:
    cells = cells or (ASK,)
    notebook = lab.open(lab.write(path, LOAD, *cells))
    notebook.run(*range(len(cells) + 1))
    notebook.show(1)
    return notebook


def _row(view: Locator, key: str) -> Locator:
    return view.locator(f'[data-key="{key}"]')


def _tree(notebook: Notebook, lab: Lab) -> None:
    view = notebook.run_view(1)
    _row(view, "0.3.1+").locator(".rlm-chevron").click()
    _row(view, "0@3").click()
    view.locator(".rlm-detail").get_by_role("tab", name="Code").click()
    _picture(notebook, lab, "tree")


def _fork(notebook: Notebook, lab: Lab) -> None:
    view = notebook.run_view(1)
    _row(view, "0@2").click()
    detail = view.locator(".rlm-detail")
    detail.get_by_role("tab", name="Variants").click()
    detail.locator(".rlm-variant").wait_for()
    _picture(notebook, lab, "fork")


def _timeline(notebook: Notebook, lab: Lab) -> None:
    view = notebook.run_view(1)
    view.get_by_role("tab", name="Timeline").click()
    _picture(notebook, lab, "timeline-dark")


def _picture(notebook: Notebook, lab: Lab, name: str) -> None:
    notebook.show(1)
    lab.page.mouse.move(5, 5)
    lab.page.wait_for_timeout(500)  # hover shades fade
    notebook.cell(1).screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
