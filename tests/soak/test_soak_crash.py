"""A few of the kills that `make soak` does a thousand of."""

from __future__ import annotations

import os

import pytest
from soak.crash import crash


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork server and no SIGKILL")
@pytest.mark.timeout(600)
def test_a_run_killed_at_any_moment_keeps_what_it_recorded_and_pays_nothing_twice() -> None:
    kills, seed = int(os.environ.get("RLM_KILLS", "15")), int.from_bytes(os.urandom(4))
    tally = crash(kills, seed)
    assert tally.good, f"seed {seed}: {tally}"
    assert tally.kills == kills
    assert tally.events > 0
