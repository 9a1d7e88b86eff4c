"""Which thread of the model's code is asking, named by how it was started, so that it is the same in every run.

Whoever starts a thread, or hands a task to a pool, numbers it in the order of starting: lane `2.1` is the first that
the second lane started, `""` is the block itself. The order in which threads happen to ask says nothing; with lanes
a replay gives each of them what it got, also where all ask the same.
"""

from __future__ import annotations

import threading

from rlm_kernel.repl.child.imported import after_import

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    import types
    from collections.abc import Callable
    from typing import Any


SETTLE_SECONDS = 0.02
"""How long the next answer is kept back for a thread that is still busy with its own."""


_Lock = threading.Lock  # bound once: the model's code may replace what the module exports


class Debt:
    """An answer that has not taken effect yet. One thread waits for that at most, once: a lock is enough, and a tenth of
    what an event costs."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = _Lock()
        self._lock.acquire()

    def pay(self) -> None:
        """Says that it has; a second time says nothing."""
        try:
            self._lock.release()
        except RuntimeError:
            return

    def wait(self, seconds: float) -> None:
        """Returns when it has, or after so many seconds."""
        self._lock.acquire(timeout=seconds)


class Lane:
    """One strand of a block."""

    def __init__(self, name: str = "", root: Lane | None = None, *, block: str = "") -> None:
        self.name = name
        self.root = root or self
        self.block = block
        self.unfinished = ""  # the line it is writing after its block has ended
        self._started = 0
        self._debt: Debt | None = None

    def child(self) -> Lane:
        """The lane of the next thread or task that this one starts."""
        self._started += 1
        return Lane(f"{self.name}.{self._started}".removeprefix("."), self.root, block=self.block)

    def owe(self) -> Debt:
        """What is paid when the answer that the lane gets now has taken effect: it asks again, or ends."""
        self._debt = Debt()
        return self._debt

    def settle(self) -> None:
        """Says that the last answer has taken effect."""
        debt, self._debt = self._debt, None
        if debt is not None:
            debt.pay()


class Turnstile:
    """Lets answers out one after the other, each when the one before has taken effect, or a moment later. For one thread
    at a time."""

    def __init__(self) -> None:
        self._before = Debt()
        self._before.pay()

    def let_out(self, lane: Lane) -> None:
        """Returns when that lane may have its answer."""
        self._before.wait(SETTLE_SECONDS)
        self._before = lane.owe()


class _Here(threading.local):
    """What a thread is busy with: a lane of its own, or handing a task to a pool."""

    lane: Lane | None = None
    in_pool = False


class _Now:
    """The block that runs, or ran last."""

    block = Lane()


_here = _Here()


def begin_block(name: str) -> None:
    """Starts numbering anew; whatever the block before was answered has taken effect."""
    _Now.block.settle()
    _Now.block = Lane(block=name)


def current() -> Lane:
    """The lane of the calling thread."""
    return _here.lane or _Now.block


def outlived() -> Lane | None:
    """The lane of the calling thread when the block that it was started in has ended."""
    lane = _here.lane
    return lane if lane is not None and lane.root is not _Now.block else None


def install() -> None:
    """Has threads and pools of this process keep track of lanes."""
    start = threading.Thread.start

    def start_in_lane(thread: threading.Thread) -> None:
        # A pool starts threads as it needs them, which differs from run to run; its tasks have the lanes.
        if not _here.in_pool:
            _give(thread, current().child())
        start(thread)

    vars(threading)["Thread"].start = start_in_lane
    after_import("concurrent.futures.thread", _install_pool)


def _give(thread: threading.Thread, lane: Lane) -> None:
    run = thread.run

    def run_in_lane() -> None:
        _here.lane = lane
        try:
            run()
        finally:
            lane.settle()

    thread.run = run_in_lane  # type: ignore[method-assign]


def _install_pool(module: types.ModuleType) -> None:
    submit = module.ThreadPoolExecutor.submit

    def submit_in_lane(pool: Any, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        lane = current().child()
        _here.in_pool = True
        try:
            future = submit(pool, _run, lane, work, args, kwargs)
        finally:
            _here.in_pool = False
        # After those who wait for the future have been told.
        future.add_done_callback(lambda _: lane.settle())
        return future

    module.ThreadPoolExecutor.submit = submit_in_lane


def _run(lane: Lane, work: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    _here.lane = lane
    try:
        return work(*args, **kwargs)
    finally:
        _here.lane = None


__all__ = ["SETTLE_SECONDS", "Debt", "Lane", "Turnstile", "begin_block", "current", "install", "outlived"]
