"""What a measure yields: samples of each contender, their ratio, and whether the target is met."""

from dataclasses import dataclass
from statistics import median
from typing import Literal

Unit = Literal["s", "ms", "bytes", "×", "nodes", "events", "of 100"]
Samples = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A limit on the median of our figure, or of its ratio to that of rlms."""

    subject: Literal["ours", "ratio"]
    limit: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case of a measure: a sample a run, in the order of the runs. `rlms` is empty where it has nothing like it."""

    case: str
    unit: Unit
    ours: Samples
    rlms: Samples
    floor: Samples = ()
    target: Target | None = None

    @property
    def ratios(self) -> Samples:
        """Ours over rlms, run by run: runs of one round had the same neighbours on the machine."""
        if not self.rlms:
            return ()
        return tuple(ours / rlms for ours, rlms in zip(self.ours, self.rlms, strict=True))

    @property
    def passed(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        samples = self.ours if self.target.subject == "ours" else self.ratios
        return median(samples) <= self.target.limit


@dataclass(frozen=True, kw_only=True)
class Table:
    """One measure."""

    title: str
    note: str
    rows: tuple[Row, ...]
