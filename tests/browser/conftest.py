"""A real JupyterLab and a real Chromium, started once for all browser tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_page import JupyterServer, Lab
from paced import ANSWER, BATCH, FINE, LOOK, Paced
from playwright.sync_api import Browser, sync_playwright
from server import ChatServer

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without the last one Chromium knocks on doors of the network at each start.
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            f"The browser tests need Chromium, and none of {', '.join(NAMES)} is on the PATH. "
            "Install it (on Debian or Ubuntu: sudo apt-get install chromium)."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab in a page. Pictures go to RLM_SCREENSHOTS, where that is set."""
    folder = tmp_path_factory.mktemp("lab")
    shots = Path(os.environ.get("RLM_SCREENSHOTS") or folder / "screenshots")
    server = JupyterServer(folder)
    try:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        yield Lab(context.new_page(), server, shots)
        context.close()
    finally:
        server.close()


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """In no test in JupyterLab does anything leave for another host, a script of the page fail or one of a trace run."""
    lab: Lab | None = request.getfixturevalue("lab") if "lab" in request.fixturenames else None
    yield
    if lab is not None:
        lab.shut_down()
        assert lab.hosts <= {lab.server.url, ""}
        assert lab.complaints == []
        assert lab.page.evaluate("() => window.__pwned") is None


@pytest.fixture
def paced() -> Iterator[Paced]:
    """A model of three turns that waits in each until it is told to go on."""
    script = Paced([LOOK, BATCH, ANSWER], FINE)
    yield script
    script.go()


@pytest.fixture
def asked(paced: Paced) -> Iterator[ChatServer]:
    """The server of that model."""
    with ChatServer(paced) as server:
        yield server
        paced.go()
