"""The tree in a real browser: how long large runs take to open, to click through and to follow live.

The page is `labextension/bench/page.ts`, which shows the real view; its bundle is made here with the front end's
own build tool. What a saved notebook holds of a large run is measured beside it, in Python.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.measures import Plan
from benchmarks.runner import ROOT, RunFailedError, Runner
from benchmarks.tables import Row, Samples, Table, Target, Unit
from rlm_kernel.trace import Trace, from_dict
from rlm_kernel.views import html_tree
from rlm_kernel.views.snapshot import snapshot

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
FRONT = ROOT / "labextension"
CALLS, MANY_CALLS = 10_000, 50_000
RATE, LASTING = 1_000, 10
TOGGLES, STEPS = 20, 100


def tree(runner: Runner, plan: Plan) -> Table:
    """The scale of the tree; no contender has one that lives in a notebook."""
    with _page() as page:
        rows = [*_large(page, plan.runs), *_live(page)]
    note = (
        "Our view in Chromium, 1200 × 900, software drawing; no contender draws a tree in a notebook. "
        "Times are from the cause (JSON given, click) to the drawn picture."
    )
    return Table(title="The tree at scale", note=note, rows=(*rows, *_saved()))


def _large(page: Page, runs: int) -> Iterator[Row]:
    opened = tuple(_call(page, "open", CALLS) for _ in range(runs))
    yield _row(f"{CALLS:,} calls: first picture", "ms", opened, 1500)
    toggled = tuple(_call(page, "toggle", TOGGLES))
    yield _row(f"{CALLS:,} calls: a batch of {CALLS // 10:,} opens or closes", "ms", toggled, 50)
    yield _row(
        f"{CALLS:,} calls: a search", "ms", tuple(_call(page, "search", "part 77") for _ in range(runs))
    )
    lenses = _call(page, "lenses")
    yield _row(f"{CALLS:,} calls: another lens", "ms", tuple(lenses["took"]))
    scrolled = _call(page, "scroll", STEPS)
    yield _row(f"{scrolled['rows']:,} open rows: a step of scrolling", "ms", tuple(scrolled["took"]))
    yield _row("pictures with a missing row while scrolling", "of 100", (scrolled["missing"],), 0)
    yield _row("elements in the document, at most", "nodes", (max(scrolled["nodes"], lenses["nodes"]),), 2000)
    yield _row(f"{MANY_CALLS:,} calls: first picture", "ms", (_call(page, "open", MANY_CALLS),))


def _live(page: Page) -> Iterator[Row]:
    streamed = _call(page, "stream", RATE, LASTING)
    case = f"{RATE:,} events a second for {LASTING} s"
    yield _row(f"{case}: events lost", "events", (RATE * LASTING - streamed["held"],), 0)
    yield _row(f"{case}: a click meanwhile", "ms", tuple(streamed["clicks"]), 100)
    yield _row(f"{case}: the slowest click", "ms", (max(streamed["clicks"]),), 100)


def _saved() -> Iterator[Row]:
    trace = Trace(filter(None, map(from_dict, _events(CALLS))))
    size = len(json.dumps(snapshot(trace), separators=(",", ":")))
    case = f"{CALLS:,} calls, kept in a notebook"
    yield _row(f"{case}: JSON", "bytes", (size,), 256 * 1024)
    yield _row(f"{case}: HTML", "bytes", (len(html_tree(trace).encode()),), 128 * 1024)


def _row(case: str, unit: Unit, samples: Samples, limit: float | None = None) -> Row:
    target = None if limit is None else Target(subject="ours", limit=limit, text=f"≤ {limit:,} {unit}")
    return Row(case=case, unit=unit, ours=samples, rlms=(), target=target)


def _call(page: Page, name: str, *arguments: Any) -> Any:
    return page.evaluate(f"arguments => rlmBench.{name}(...arguments)", list(arguments))


@contextmanager
def _page() -> Iterator[Page]:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RunFailedError(
            "the tree is measured in Chromium: install it (Debian: apt-get install chromium)"
        )
    with TemporaryDirectory(prefix="rlm-bench-") as folder, sync_playwright() as playwright:
        script, style = _built(Path(folder))
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1200, "height": 900})
        page.set_content(f"<!DOCTYPE html><style>{style}</style><body></body>")
        page.add_script_tag(content=script)
        yield page
        chromium.close()


def _built(folder: Path) -> tuple[str, str]:
    _esbuild("bench/page.ts", "--format=iife", f"--outfile={folder}/page.js")
    _esbuild("style/index.css", f"--outfile={folder}/page.css")
    return (folder / "page.js").read_text("utf-8"), (folder / "page.css").read_text("utf-8")


def _events(calls: int) -> list[dict[str, Any]]:
    # The same run as the page's, so that both speak of one trace.
    with TemporaryDirectory(prefix="rlm-bench-") as folder:
        module = Path(folder, "events.mjs")
        _esbuild("bench/events.ts", "--format=esm", f"--outfile={module}")
        code = f"import {{eventsOf}} from {json.dumps(str(module))}; console.log(JSON.stringify(eventsOf({calls}, 10)))"
        done = subprocess.run(
            ["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True
        )
        events: list[dict[str, Any]] = json.loads(done.stdout)
        return events


def _esbuild(entry: str, *options: str) -> None:
    command = ["node_modules/.bin/esbuild", entry, "--bundle", "--minify", "--log-level=warning", *options]
    done = subprocess.run(command, cwd=FRONT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailedError(f"the page was not built (run npm ci in labextension/ first):\n{done.stderr}")
