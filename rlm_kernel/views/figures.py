"""What a step or a run took, and by how much another one took more."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_kernel.trace import Trace, Usage
from rlm_kernel.views.summary import cost, elapsed, seconds, tokens

UNKNOWN = "unknown"

_NO_COST = 1e-12
_NO_TIME = 0.005


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Tokens, cost and time. `seconds` is None without an end."""

    usage: Usage
    seconds: float | None

    @classmethod
    def of(cls, trace: Trace) -> Figures:
        """Those of a whole run."""
        return cls(usage=trace.usage, seconds=None if trace.live else elapsed(trace))

    @property
    def cost(self) -> float | None:
        """What was paid, in US dollars: 0 where nothing was asked, None where that is not known."""
        return self.usage.cost if self.usage.requests else 0.0

    @property
    def cost_words(self) -> str:
        """The cost, also where it is nothing or not known."""
        return UNKNOWN if self.cost is None else cost(self.usage) or "$0.0000"

    @property
    def token_words(self) -> str:
        """The tokens, also where there are none."""
        return tokens(self.usage) or "no tokens"

    @property
    def time_words(self) -> str:
        """The time, also where it is not known yet."""
        return seconds(self.seconds) or UNKNOWN

    def __str__(self) -> str:
        return " · ".join(
            part for part in (seconds(self.seconds), tokens(self.usage), cost(self.usage)) if part
        )


@dataclass(frozen=True, kw_only=True)
class Delta:
    """By how much the right one took more than the left. `cost` and `seconds` are None where one of both is not
    known."""

    tokens: int
    cost: float | None
    seconds: float | None

    @classmethod
    def between(cls, left: Figures, right: Figures) -> Delta:
        """The right one less the left one."""
        return cls(
            tokens=right.usage.tokens - left.usage.tokens,
            cost=_less(right.cost, left.cost),
            seconds=_less(right.seconds, left.seconds),
        )

    @property
    def token_words(self) -> str:
        """`+1,204 tokens`."""
        return f"{_sign(self.tokens)}{abs(self.tokens):,} token{'' if abs(self.tokens) == 1 else 's'}"

    @property
    def cost_words(self) -> str:
        """`−$0.0010`, or that it is not known."""
        if self.cost is None:
            return UNKNOWN
        return (
            "±$0.0000"
            if abs(self.cost) < 1e-12
            else _sign(self.cost) + cost(Usage(requests=1, cost=abs(self.cost)))
        )

    @property
    def time_words(self) -> str:
        """`+0.20 s`, or that it is not known."""
        if self.seconds is None:
            return UNKNOWN
        return "±0.00 s" if abs(self.seconds) < _NO_TIME else _sign(self.seconds) + seconds(abs(self.seconds))

    def __str__(self) -> str:
        """What there is to tell in a row: what is known and not nothing."""
        parts = [
            self.token_words if self.tokens else "",
            self.cost_words if self.cost is not None and abs(self.cost) >= _NO_COST else "",
            self.time_words if self.seconds is not None and abs(self.seconds) >= _NO_TIME else "",
        ]
        return " · ".join(part for part in parts if part)


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else "±"


__all__ = ["UNKNOWN", "Delta", "Figures"]
