"""A page with the real view over a kernel that a test plays: what it was asked for is heard, and answered by the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe import faults
from playwright.sync_api import Browser, Locator, Page

from rlm_kernel.trace import Trace, to_dict

HERE = Path(__file__).parents[2] / "labextension"


def build(folder: Path) -> Path:
    """The page, bundled into one file of that folder."""
    style = _bundled(folder, "style/page.css")
    script = _bundled(folder, "tests/acting.ts").replace("</script", "<\\/script")
    page = folder / "page.html"
    # In one file: axe-core would ask for the style sheets again, which a page from a file may not.
    page.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Acting</title>'
        f"<style>{style}</style></head><body><script>{script}</script></body></html>",
        encoding="utf-8",
    )
    return page


@contextmanager
def opened(chromium: Browser, file: Path, scheme: str, width: int) -> Iterator[ActingPage]:
    """The page in a window of its own, in a light or dark `scheme`; nothing in it may complain."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    acting = ActingPage(context.new_page(), file)
    yield acting
    assert acting.complaints == []
    context.close()


def _bundled(folder: Path, entry: str) -> str:
    out = folder / f"{Path(entry).stem}.bundle"
    command = ["node_modules/.bin/esbuild", entry, "--bundle", "--log-level=warning", f"--outfile={out}"]
    subprocess.run(command, cwd=HERE, check=True)
    return out.read_text(encoding="utf-8")


class ActingPage:
    """The run `papers-1` in a page; `kernel` hears what is asked and says what it is told to."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.goto(file.as_uri())

    def saved(
        self, trace: Trace, *, kernel: bool = True, abilities: tuple[str, ...] = ("insertCell", "openRun")
    ) -> None:
        """Shows a run as a notebook keeps it."""
        self._do("saved", _events(trace), kernel, list(abilities))
        self.settle()

    def live(self, trace: Trace) -> None:
        """Shows a run that goes on, of which the trace has come."""
        self._do("live", _events(trace))
        self.settle()

    def more(self, trace: Trace, since: int, *, run: str = "papers-1", goes_on: bool = True) -> None:
        """The kernel sends what has come since."""
        self._do("feed", run, since, _events(trace)[since:], goes_on)
        self.settle()

    def made(self, run: str, kind: str, at: str) -> None:
        """The kernel tells of a run that was made from this one."""
        self._do("made", run, kind, at)
        self.settle()

    def reply(self, **result: Any) -> None:
        """The kernel answers what was asked last."""
        self._do("reply", result)
        self.settle()

    @property
    def heard(self) -> list[dict[str, Any]]:
        """What the kernel was asked, without the number of the question."""
        said: list[dict[str, Any]] = self._do("heard")
        return [{name: value for name, value in message.items() if name != "ask"} for message in said]

    @property
    def cells(self) -> list[str]:
        """The cells that were put into the notebook."""
        made: list[str] = self.page.evaluate("() => window.rlmActing.page.cells")
        return made

    @property
    def opened(self) -> list[str]:
        """The runs that were opened in tabs."""
        runs: list[str] = self.page.evaluate("() => window.rlmActing.page.opened")
        return runs

    def row(self, key: str) -> Locator:
        return self.page.locator(f'.rlm-tree .rlm-row[data-key="{key}"]')

    def select(self, key: str) -> None:
        self.row(key).click()
        self.settle()

    def act(self, kind: str) -> None:
        """Opens the form of an action on the selected step."""
        self.page.locator(f"[data-action={kind}]").click()
        self.settle()

    @property
    def form(self) -> Locator:
        return self.page.locator(".rlm-form")

    @property
    def text(self) -> Locator:
        """The text that is being changed."""
        return self.page.locator(".rlm-form-text:visible")

    @property
    def panel(self) -> Locator:
        """What the chosen tab of the detail shows."""
        return self.page.locator(".rlm-detail-panel")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def focused(self) -> str:
        """What has the keyboard: its text, or the text of its label."""
        told: str = self.page.evaluate(
            "() => { const at = document.activeElement;"
            " return at.labels?.[0]?.textContent || at.getAttribute('aria-label') || at.textContent; }"
        )
        return told

    def settle(self) -> None:
        """Until everything that was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
        )

    def faults(self) -> list[str]:
        """What axe-core finds serious, a line each."""
        return faults(self.page, ".rlm-run")

    def _do(self, name: str, *given: Any) -> Any:
        return self.page.evaluate("([name, given]) => window.rlmActing[name](...given)", [name, list(given)])


def _events(trace: Trace) -> list[dict[str, Any]]:
    return [to_dict(event) for event in trace.events]
