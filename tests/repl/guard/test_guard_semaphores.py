from __future__ import annotations

import threading
import time

import pytest

from rlm_kernel.repl.guard.semaphores import RECURSIVE_MUTEX, SemLock

SEMAPHORE = 1


def test_it_lets_as_many_in_as_it_has_places() -> None:
    places = SemLock(SEMAPHORE, 2, 2)
    assert places.acquire() and places.acquire()
    assert not places.acquire(False)
    assert not places.acquire(True, 0.01)
    assert places._is_zero() and places._get_value() == 0 and places._count() == 2
    places.release()
    assert places.acquire(True, 0.01)


def test_who_waits_is_let_in() -> None:
    lock, inside = SemLock(SEMAPHORE, 1, 1), threading.Event()
    lock.acquire()

    def wait() -> None:
        with lock:
            inside.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not inside.wait(0.01)
    lock.release()
    assert inside.wait(5)
    thread.join()


def test_a_negative_wait_is_none() -> None:
    lock = SemLock(SEMAPHORE, 0, 1)
    started = time.monotonic()
    assert not lock.acquire(True, -5)
    assert time.monotonic() - started < 1


def test_it_is_not_released_more_often_than_acquired() -> None:
    lock = SemLock(SEMAPHORE, 1, 1)
    with pytest.raises(ValueError, match="too many times"):
        lock.release()


def test_a_recursive_lock_is_its_threads_own() -> None:
    lock = SemLock(RECURSIVE_MUTEX, 1, 1)
    with lock, lock:
        assert lock._count() == 2 and lock._is_mine()
        others: list[object] = []
        thread = threading.Thread(target=lambda: others.extend([lock.acquire(False), lock._is_mine()]))
        thread.start()
        thread.join()
        assert others == [False, False]
    assert lock._count() == 0 and lock._get_value() == 1
    with pytest.raises(AssertionError, match="not owned"):
        lock.release()


def test_there_are_no_places_below_zero_or_above_all() -> None:
    for value in (-1, 3):
        with pytest.raises(ValueError, match="invalid value"):
            SemLock(SEMAPHORE, value, 2)


def test_what_multiprocessing_builds_of_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import get_context, synchronize

    monkeypatch.setattr(synchronize._multiprocessing, "SemLock", SemLock)  # type: ignore[attr-defined]
    context = get_context("fork")
    condition, event, barrier = context.Condition(), context.Event(), context.BoundedSemaphore(1)
    with condition:
        assert not condition.wait(0.01)
    event.set()
    assert event.wait(1) and event.is_set()
    barrier.acquire()
    barrier.release()
    with pytest.raises(ValueError, match="too many times"):
        barrier.release()
    queue = context.SimpleQueue()
    queue.put({"a": 1})
    assert queue.get() == {"a": 1}
    queue.close()
