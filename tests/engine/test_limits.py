"""The limits of a run: reserve first, settle after, never over."""

from __future__ import annotations

import asyncio

import pytest

from rlm_kernel.engine.limits import Ledger
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import ConfigError, LimitExceeded
from rlm_kernel.models import Request
from rlm_kernel.trace import Message


def test_calls_are_taken_all_or_none() -> None:
    ledger = Ledger(Settings(max_calls=10))
    ledger.take_calls(8)
    with pytest.raises(LimitExceeded, match="3 sub-calls were asked for and 2 of 10 are left"):
        ledger.take_calls(3)
    ledger.take_calls(2)
    assert ledger.calls == 10


def test_the_time_of_a_run_ends() -> None:
    now = [100.0]
    ledger = Ledger(Settings(max_seconds=5), clock=lambda: now[0])
    ledger.check_time()
    now[0] = 105.0
    assert ledger.seconds_left == 0
    request = Request(
        messages=(Message(role="user", content="x"),), model="m", call_id="0", turn=1, kind="rlm"
    )
    with pytest.raises(LimitExceeded, match="5 s are over"):
        asyncio.run(ledger.reserve(request))
    asyncio.run(ledger.reserve(request, beyond_limits=True))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("max_turns", 0, "max_turns must be more than 0, not 0"),
        ("max_depth", -1, "max_depth must be at least 0, not -1"),
        ("max_calls", "many", "max_calls takes a number, not 'many'"),
        ("concurrency", True, "concurrency takes a number, not True"),
        ("max_seconds", float("nan"), "max_seconds must be more than 0, not nan"),
        ("output_chars", 10, "output_chars must be at least 200, not 10"),
    ],
)
def test_settings_that_cannot_work_are_refused(option: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(**{option: value})  # type: ignore[arg-type]
