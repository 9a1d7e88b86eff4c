"""Workers for the tests of this floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from workers import Worker


@pytest.fixture
def make() -> Iterator[Callable[..., Worker]]:
    """Makes workers, which are closed after the test."""
    workers: list[Worker] = []

    def build(*args: Any, **options: Any) -> Worker:
        workers.append(Worker(*args, **options))
        return workers[-1]

    yield build
    for worker in workers:
        worker.close()
