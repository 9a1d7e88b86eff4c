"""The tree in a page of its own, in words a test can read."""

from __future__ import annotations

from pathlib import Path

from axe import faults
from playwright.sync_api import Locator, Page

from rlm_kernel.trace import Trace
from rlm_kernel.views.page import html_page


class TreePage:
    """A run in a page from a file, as somebody sees it who got it by mail."""

    def __init__(self, page: Page, trace: Trace, folder: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        file = folder / "run.html"
        file.write_text(html_page(trace), encoding="utf-8")
        page.goto(file.as_uri())
        page.wait_for_selector(".rlm-run [role=treegrid] [role=row]")

    @property
    def grid(self) -> Locator:
        """The lens that is shown."""
        return self.page.locator(".rlm-stage > *")

    @property
    def detail(self) -> Locator:
        return self.page.locator(".rlm-detail")

    def rows(self) -> list[str]:
        """The keys of the tree's rows in sight, from the top."""
        rows: list[str] = self.page.locator(".rlm-tree .rlm-row[data-key]").evaluate_all(
            "rows => rows.map(row => ({key: row.dataset.key, at: Number(row.getAttribute('aria-rowindex'))}))"
            ".sort((one, other) => one.at - other.at).map(row => row.key)"
        )
        return rows

    def row(self, key: str) -> Locator:
        """A row of the tree."""
        return self.page.locator(f'.rlm-tree .rlm-row[data-key="{key}"]')

    def attributes(self, key: str, *names: str) -> list[str | None]:
        return [self.row(key).get_attribute(name) for name in names]

    def selected(self) -> str | None:
        """The key of the tree's selected row."""
        return self.page.locator(".rlm-tree .rlm-row[aria-selected=true]").get_attribute("data-key")

    def active(self) -> str:
        """The text of the row that the lens names as active."""
        text: str = self.grid.evaluate(
            """lens => {
              const grid = lens.matches('[aria-activedescendant]') ? lens : lens.querySelector('[aria-activedescendant]');
              return document.getElementById(grid.getAttribute('aria-activedescendant')).textContent;
            }"""
        )
        return text

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def focus(self) -> None:
        """Puts the keyboard into the tree."""
        self.page.locator(".rlm-tree").focus()

    def settle(self) -> None:
        """Until everything that was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
        )

    def faults(self) -> list[str]:
        """What axe-core finds serious, a line each."""
        # As a person with developer tools would: what the page itself may load is not changed.
        self.page.context.new_cdp_session(self.page).send("Page.setBypassCSP", {"enabled": True})
        return faults(self.page, ".rlm-run")
