"""Run the measures, print a table for each, and write a full run to `RESULTS.md`.

Exits with 1 when a target is missed, 2 when a contender did not do its work.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import measures
from benchmarks.contexts import contexts
from benchmarks.measures import Plan
from benchmarks.replay import replay
from benchmarks.report import header, render
from benchmarks.runner import RunFailedError, Runner
from benchmarks.tables import Table
from benchmarks.tree import tree
from benchmarks.workers import workers

MEASURES = {**measures.MEASURES, "workers": workers, "contexts": contexts, "replay": replay, "tree": tree}
RESULTS = Path(__file__).with_name("RESULTS.md")
QUICK = Plan(runs=1, slow_runs=1, context_mb=(10,), turns=(20,), traced_turns=(10, 20, 30))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one run of smaller cases; does not write RESULTS.md"
    )
    parser.add_argument("--only", choices=MEASURES, help="one measure; does not write RESULTS.md")
    parser.add_argument("--runs", type=int, metavar="N", help="runs of each case (default 5, slow cases 3)")
    return parser.parse_args()


def chosen_plan(arguments: argparse.Namespace) -> Plan:
    """The plan the command line asks for."""
    plan = QUICK if arguments.quick else Plan()
    return replace(plan, runs=arguments.runs, slow_runs=arguments.runs) if arguments.runs else plan


def main() -> int:
    """The exit status, after everything is printed."""
    arguments = parse_arguments()
    plan = chosen_plan(arguments)
    names = [arguments.only] if arguments.only else list(MEASURES)
    tables: list[Table] = []
    try:
        with Runner() as runner:
            for name in names:
                tables.append(MEASURES[name](runner, plan))
                print(render(tables[-1]), end="\n\n", flush=True)
    except RunFailedError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if not (arguments.quick or arguments.only):
        sections = (header(runs=plan.runs), *map(render, tables))
        RESULTS.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return int(any(row.passed is False for table in tables for row in table.rows))


if __name__ == "__main__":
    sys.exit(main())
