"""Tables as Markdown, for the terminal and for `RESULTS.md`."""

import datetime
import os
import platform
from importlib import metadata
from statistics import median

from benchmarks.tables import Row, Samples, Table, Unit

_HEADINGS = ("case", "ours", "rlms", "ours / rlms", "floor", "target", "result")
_DISTRIBUTIONS = ("rlm_kernel", "rlms", "openai", "aiohttp", "ipython")
_RESULTS = {None: "", True: "pass", False: "**miss**"}


def header(*, runs: int) -> str:
    """What was measured, when, and on what (no names or paths of the machine)."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"""\
# Benchmarks: rlm_kernel beside rlms

Both do the same scripted work against the same local server, in turns, each run in a fresh process.
Cells are the median (min–max) of up to {runs} runs; the ratio is taken run by run. Absolute times differ
from machine to machine: compare ratios. Rows without a target are for information.

- date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}
- Python {platform.python_version()} on {machine}, load average {os.getloadavg()[0]:.1f} at the end
- {", ".join(f"{name} {_version(name)}" for name in _DISTRIBUTIONS)}
- ours writes its trace in every run; rlms has its logger on only where traces are measured
- floor: bare sockets and `exec`, no SDK, no trace, no isolation (`client_floor.py`)"""


def render(table: Table) -> str:
    """One measure as a padded Markdown table under its title."""
    columns = [*zip(_HEADINGS, *map(_cells, table.rows), strict=True)]
    filled = [column for column in columns if any(column[1:])]
    widths = [max(map(len, column)) for column in filled]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in zip(*filled, strict=True)]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join((f"## {table.title}", "", table.note, "", *lines))


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.case,
        _cell(row.ours, row.unit),
        _cell(row.rlms, row.unit),
        _cell(row.ratios, "×"),
        _cell(row.floor, row.unit),
        row.target.text if row.target else "",
        _RESULTS[row.passed],
    )


def _cell(samples: Samples, unit: Unit) -> str:
    if not samples:
        return ""
    middle = f"{_number(median(samples), unit)} {unit}".replace(" ×", "×")
    if len(samples) == 1:
        return middle
    return f"{middle} ({_number(min(samples), unit)}–{_number(max(samples), unit)})"


def _number(value: float, unit: Unit) -> str:
    if unit not in ("s", "ms", "×"):
        return f"{value:,.0f}"
    if 0 < value < 0.01:
        return f"{value:.2g}"
    # Three significant digits, without an exponent.
    decimals = next((places for limit, places in ((100, 0), (10, 1), (1, 2)) if value >= limit), 3)
    return f"{value:.{decimals}f}"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed)"
