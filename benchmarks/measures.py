"""The six measures: each runs its cases through a `Runner` and returns a `Table`."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from benchmarks.imports import import_times_ms
from benchmarks.runner import FLOOR, OURS, RLMS, Contender, Record, Runner
from benchmarks.scripts import asks_in_batch, asks_in_sequence, prints_each_turn, reads_context
from benchmarks.tables import Row, Samples, Table, Target, Unit

FASTER = Target(subject="ratio", limit=1.0, text="ratio < 1")
HALF = Target(subject="ratio", limit=0.5, text="ratio ≤ 0.5")
SLOW_MB = 1000
TRIO = {"ours": OURS, "rlms": RLMS, "floor": FLOOR}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much to run."""

    runs: int = 5
    slow_runs: int = 3
    context_mb: tuple[int, ...] = (10, 100, 1000)
    turns: tuple[int, ...] = (20, 100)
    sequence: int = 500
    batch: int = 1000
    traced_turns: tuple[int, ...] = (10, 20, 40, 80)


def start(runner: Runner, plan: Plan) -> Table:
    """Time to the first request, for each size of context."""
    rows = []
    for size in plan.context_mb:
        runs = plan.runs if size < SLOW_MB else plan.slow_runs
        records = runner.interleave(
            {"ours": OURS, "rlms": RLMS}, reads_context(size), runs=runs, context_mb=size
        )
        rows += [
            _row(f"{size} MB: run() → first request", "s", records, _run_to_request, target=FASTER),
            _row(f"{size} MB: process spawn → first request", "s", records, _spawn_to_request, target=FASTER),
            _row(f"{size} MB: run() → end of first block", "s", records, _run_to_first_block),
        ]
    note = (
        "The context is ASCII text held by the client; making it is left out of the time since spawn. "
        "The first block reads `len(context)`, so its end shows when the context had arrived in full."
    )
    return Table(title="Start of a run", note=note, rows=tuple(rows))


def turn(runner: Runner, plan: Plan) -> Table:
    """Time a turn takes on top of the model's."""
    rows = []
    for turns in plan.turns:
        records = runner.interleave(TRIO, prints_each_turn(turns, chars=4), runs=plan.runs)
        rows.append(
            _row(f"{turns} turns: median gap", "ms", records, lambda record: _gap_ms(record, "root"), HALF)
        )
    note = (
        "From a reply written to the next request received, as the server sees it. Each turn prints a little."
    )
    return Table(title="Cost of a turn", note=note, rows=tuple(rows))


def sequence(runner: Runner, plan: Plan) -> Table:
    """Time a sub-call takes on top of the model's."""
    records = runner.interleave(TRIO, asks_in_sequence(plan.sequence), runs=plan.runs)
    case = f"{plan.sequence} `llm_query` in a loop: median gap"
    row = _row(case, "ms", records, lambda record: _gap_ms(record, "sub"), HALF)
    note = "From a sub-call's reply written to the next one's request received, as the server sees it."
    return Table(title="Cost of a sequential sub-call", note=note, rows=(row,))


def batch(runner: Runner, plan: Plan) -> Table:
    """Time of one large batch."""
    wide = Contender(module=OURS.module, traced=OURS.traced, concurrency=200)
    contenders = {"ours": wide, "rlms": RLMS, "default": OURS, "floor": FLOOR}
    records = runner.interleave(contenders, asks_in_batch(plan.batch, latency_s=0.05), runs=plan.slow_runs)
    at_default = {"ours": records["default"], "rlms": records["rlms"]}
    case = f"{plan.batch} sub-calls at 50 ms"
    note = (
        "From the first sub-call received to the next root request received. "
        "rlms runs 16 at a time, a constant of its code; the floor has 200 connections."
    )
    rows = (
        _row(f"{case}: ours with concurrency=200", "s", records, _batch_s, target=HALF),
        _row(f"{case}: ours at its default", "s", at_default, _batch_s),
    )
    return Table(title="A batch of sub-calls", note=note, rows=rows)


def trace(runner: Runner, plan: Plan) -> Table:
    """Bytes a run leaves on disk, against its turns."""
    contenders = {"ours": OURS, "rlms": Contender(module=RLMS.module, traced=True)}
    sizes: dict[str, list[float]] = {name: [] for name in contenders}
    rows = []
    for turns in plan.traced_turns:
        records = runner.interleave(contenders, prints_each_turn(turns, chars=2000), runs=1, context_mb=1)
        rows.append(_row(f"{turns} turns", "bytes", records, lambda record: record.trace_bytes))
        for name in contenders:
            sizes[name].append(records[name][0].trace_bytes)
    first, last = plan.traced_turns[0], plan.traced_turns[-1]
    growth = {name: bytes_[-1] / last / (bytes_[0] / first) for name, bytes_ in sizes.items()}
    marginal = {name: _growth_of_added_turns(bytes_, plan.traced_turns) for name, bytes_ in sizes.items()}
    linear = Target(subject="ours", limit=1.3, text="ours ≤ 1.3")
    rows += [
        _growth_row(f"bytes per turn: at {last} over at {first}", growth, linear),
        _growth_row("bytes per added turn: last step over first", marginal, linear),
    ]
    note = "Each turn prints 2 KB; the context has 1 MB; both write to disk. One run a case: sizes repeat."
    return Table(title="Trace on disk", note=note, rows=tuple(rows))


def imports(_: Runner, plan: Plan) -> Table:
    """Time of the imports a notebook waits for."""
    times = import_times_ms(plan.runs * 2)
    rows = (
        Row(
            case="`import rlm_kernel` (beside it `import rlm`)",
            unit="ms",
            ours=times["package"],
            rlms=times["rlm"],
            target=Target(subject="ours", limit=50, text="ours < 50 ms"),
        ),
        Row(
            case="`from rlm_kernel import RLM` (beside it `import rlm`)",
            unit="ms",
            ours=times["class"],
            rlms=times["rlm"],
        ),
        Row(
            case="`%load_ext rlm_kernel` (beside it `import rlm`)",
            unit="ms",
            ours=times["load_ext"],
            rlms=times["rlm"],
            target=Target(subject="ours", limit=150, text="ours < 150 ms"),
        ),
    )
    note = "In a fresh interpreter; the extension meets an IPython shell made before the clock starts."
    return Table(title="Imports", note=note, rows=rows)


MEASURES: dict[str, Callable[[Runner, Plan], Table]] = {
    "start": start,
    "turn": turn,
    "sequence": sequence,
    "batch": batch,
    "trace": trace,
    "imports": imports,
}


def _row(
    case: str,
    unit: Unit,
    records: dict[str, list[Record]],
    figure: Callable[[Record], float],
    target: Target | None = None,
) -> Row:
    samples: dict[str, Samples] = {name: tuple(map(figure, runs)) for name, runs in records.items()}
    return Row(
        case=case,
        unit=unit,
        ours=samples["ours"],
        rlms=samples["rlms"],
        floor=samples.get("floor", ()),
        target=target,
    )


def _growth_row(case: str, growth: dict[str, float], target: Target) -> Row:
    return Row(case=case, unit="×", ours=(growth["ours"],), rlms=(growth["rlms"],), target=target)


def _growth_of_added_turns(sizes: list[float], turns: tuple[int, ...]) -> float:
    points = list(zip(turns, sizes, strict=True))
    slopes = [(size - size0) / (turn - turn0) for (turn0, size0), (turn, size) in pairwise(points)]
    return slopes[-1] / slopes[0]


def _run_to_request(record: Record) -> float:
    return (record.of_kind("root")[0].received_ns - record.outcome.run_called_ns) / 1e9


def _spawn_to_request(record: Record) -> float:
    waited_ns = record.of_kind("root")[0].received_ns - record.spawned_ns
    return (waited_ns - record.outcome.context_made_ns) / 1e9


def _run_to_first_block(record: Record) -> float:
    return (record.of_kind("root")[1].received_ns - record.outcome.run_called_ns) / 1e9


def _batch_s(record: Record) -> float:
    return (record.of_kind("root")[1].received_ns - record.of_kind("sub")[0].received_ns) / 1e9


def _gap_ms(record: Record, kind: str) -> float:
    stamps = record.of_kind(kind)
    return median(later.received_ns - earlier.written_ns for earlier, later in pairwise(stamps)) / 1e6
