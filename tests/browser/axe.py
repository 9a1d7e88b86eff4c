"""What axe-core finds wrong with a part of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
HARMFUL = ("serious", "critical")


def faults(page: Page, selector: str) -> list[str]:
    """Its serious and critical faults of accessibility, a line each: contrast, names, roles, reach of the keyboard."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("selector => axe.run(selector)", selector)
    return [
        f"{fault['id']}: {fault['help']}: {node['html'][:200]} {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in HARMFUL
        for node in fault["nodes"][:3]
    ]
