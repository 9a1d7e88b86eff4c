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
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")


def main() -> int:
    """Writes `tree.png` and `timeline-dark.png`."""
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
            lab.theme("JupyterLab Dark")
            _timeline(_asked(lab, "timeline.ipynb"), lab)
        finally:
            browser.close()
            server.close()
    return 0


def _asked(lab: Lab, path: str) -> Notebook:
    notebook = lab.open(lab.write(path, LOAD, ASK))
    notebook.run(0, 1)
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
