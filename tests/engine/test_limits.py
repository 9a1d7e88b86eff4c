"""The ledger of a run: reserve first, settle after, never over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlm_kernel.engine.limits import REPLY_TOKENS, Ledger
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import ConfigError, LimitExceeded
from rlm_kernel.models import Request
from rlm_kernel.trace import Message, Usage


def request(chars: int = 400, most: int | None = 100) -> Request:
    message = Message(role="user", content="x" * chars)
    return Request(messages=(message,), model="m", call_id="0", turn=1, kind="rlm", max_output_tokens=most)


def test_calls_are_taken_all_or_none() -> None:
    ledger = Ledger(Settings(max_calls=10))
    ledger.take_calls(8)
    with pytest.raises(LimitExceeded, match="3 sub-calls were asked for and 2 of 10 are left"):
        ledger.take_calls(3)
    ledger.take_calls(2)
    assert ledger.calls == 10


def test_a_request_is_refused_before_it_would_pass_the_token_limit() -> None:
    ledger = Ledger(Settings(max_tokens=250))
    with ledger.request(request()):  # 100 for the prompt, 100 at most for the reply
        with (
            pytest.raises(LimitExceeded, match="200 reserved by requests under way"),
            ledger.request(request()),
        ):
            raise AssertionError("never sent")
        ledger.settle(Usage(requests=1, input_tokens=30, output_tokens=5))
    with ledger.request(request()):
        pass  # the reservation was given back, and only what was used counts
    assert ledger.tokens == 35


def test_a_reply_without_a_maximum_is_reckoned() -> None:
    with pytest.raises(LimitExceeded), Ledger(Settings(max_tokens=REPLY_TOKENS)).request(request(most=None)):
        pass


def test_the_time_of_a_run_ends() -> None:
    now = [100.0]
    ledger = Ledger(Settings(max_seconds=5), clock=lambda: now[0])
    ledger.check_time()
    now[0] = 105.0
    assert ledger.seconds_left == 0
    with pytest.raises(LimitExceeded, match="5 s are over"), ledger.request(request()):
        pass


@given(st.integers(0, 2000), st.lists(st.tuples(st.integers(0, 800), st.integers(1, 200)), max_size=40))
def test_requests_that_keep_their_word_never_pass_the_limit(limit: int, asked: list[tuple[int, int]]) -> None:
    ledger = Ledger(Settings(max_tokens=limit or 1))
    for chars, most in asked:
        try:
            with ledger.request(request(chars, most)):
                ledger.settle(Usage(requests=1, input_tokens=chars // 4, output_tokens=most))
        except LimitExceeded:
            continue
    assert ledger.tokens <= (limit or 1)


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
