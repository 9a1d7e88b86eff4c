"""What cannot move to a worker is refused before anything has started, by name, with the choices that there are."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlm_kernel.errors import ContextError
from rlm_kernel.repl.pack import pack_context


def descriptors() -> set[str]:
    return {fd.name for fd in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def nothing_leaks() -> Iterator[None]:
    """No descriptor and no thread is left behind."""
    files, threads = descriptors(), threading.active_count()
    yield
    deadline = time.monotonic() + 5  # what an earlier test left to be removed may just be looked at
    while not descriptors() <= files and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= threads
    assert descriptors() <= files


def refused(value: Any) -> ContextError:
    """The error of a value, after a large array that is on its way already."""
    with pytest.raises(ContextError) as caught:
        pack_context([np.zeros(100_000), value])
    with pytest.raises(ContextError) as alone:
        pack_context(value)
    assert "--isolation inline" in str(alone.value)
    assert "protected" in str(alone.value)
    assert caught.value.type_name == "list"
    return alone.value


def closing(value: Any) -> Iterator[Any]:
    try:
        yield value
    finally:
        value.close()


def opened() -> Iterator[Any]:
    with Path(__file__).open() as file:
        yield file


CASES: dict[str, tuple[Callable[[], Iterator[Any]], str, str]] = {
    "generator": (lambda: iter([(n for n in "ab")]), "generator", "list(…) of it"),
    "file": (opened, "_io.TextIOWrapper", "open file"),
    "socket": (lambda: closing(socket.socket()), "socket.socket", "open connection"),
    "database": (lambda: closing(sqlite3.connect(":memory:")), "sqlite3.Connection", "a DataFrame"),
    "lock": (lambda: iter([threading.Lock()]), "_thread.lock", "threads of this process"),
    "memory": (lambda: iter([memoryview(b"abc")]), "memoryview", "bytes(…) of it"),
    "loop": (lambda: closing(asyncio.new_event_loop()), "asyncio._UnixSelectorEventLoop", ""),
    "reference": (lambda: iter([weakref.ref(closing)]), "weakref.ReferenceType", "TypeError: cannot pickle"),
}


@pytest.mark.usefixtures("nothing_leaks")
@pytest.mark.parametrize(("make", "kind", "said"), CASES.values(), ids=CASES)
def test_it_says_what_it_is_and_what_would_go(make: Any, kind: str, said: str) -> None:
    for value in make():
        error = refused(value)
    assert error.type_name == kind
    assert str(error).startswith(f"a {kind} cannot be copied into the child namespace: ")
    assert said in str(error)


def test_what_is_inside_is_named() -> None:
    with pytest.raises(
        ContextError, match=r"a dict cannot .*: there is a generator in it, and it is used up"
    ):
        pack_context({"pages": (n for n in "ab")})


class Device:
    type = "cuda"


class Tensor:
    """Stands for a tensor of PyTorch."""

    def __init__(self, device: object) -> None:
        self.device = device


def test_what_is_in_the_memory_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.ModuleType("torch")
    torch.Tensor = Tensor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(Tensor, "__module__", "torch")
    on_cpu = Tensor(None)
    assert "`.cpu()`" in str(refused([on_cpu, Tensor(Device())]))
    packed = pack_context(on_cpu)
    packed.close()
    assert not packed.forkable


class Endless:
    def __reduce__(self) -> Any:
        return Endless, (), {"next": Endless()}


class Insatiable:
    def __reduce__(self) -> Any:
        raise MemoryError


class Failing:
    def __reduce__(self) -> Any:
        raise Unspeakable


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Nonsense:
    def __reduce__(self) -> Any:
        return 5


@pytest.mark.usefixtures("nothing_leaks")
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Endless, "nested too deep, or never ends"),
        (Insatiable, "not enough memory"),
        (Failing, "Unspeakable: it does not say why"),
        (Nonsense, "PicklingError"),
    ],
)
def test_a_hostile_object_is_refused_like_any_other(kind: type, said: str) -> None:
    assert said in str(refused(kind()))


@pytest.mark.usefixtures("nothing_leaks")
def test_an_interrupt_while_a_context_is_packed_leaves_nothing() -> None:
    class Interrupting:
        def __reduce__(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_context([np.zeros(10**6), Interrupting()])


@pytest.mark.usefixtures("nothing_leaks")
def test_what_changes_meanwhile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (dict.fromkeys(range(100_000), "x"), list(range(100_000))):
        write = os.write

        def grow(fd: int, data: Any, value: Any = value, write: Any = write) -> int:
            value.append(0) if isinstance(value, list) else value.update({len(value): ""})
            return write(fd, data)

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", grow)
            with pytest.raises(ContextError, match="changed by another thread"):
                pack_context(value)


@pytest.mark.usefixtures("nothing_leaks")
def test_a_disk_or_memory_that_is_full_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for value in ("x" * 10**7, np.zeros(10**6)):
        with pytest.raises(ContextError, match=r"no room for a copy of this .* No space left"):
            pack_context(value)
