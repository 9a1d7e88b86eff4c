from __future__ import annotations

import struct
from pathlib import Path

import pytest
from guarded import printed

from rlm_kernel.repl.guard import guard, landlock

# How many rights to files each version knows: linux/landlock.h of its kernel.
KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16, 6: 16, 7: 16, 8: 16}


@pytest.mark.parametrize("abi", KNOWN)
def test_a_version_handles_every_right_that_it_knows(abi: int) -> None:
    assert landlock.handled_rights(abi) == (1 << KNOWN[abi]) - 1


def test_a_version_is_told_no_more_than_it_understands() -> None:
    sizes = {abi: len(landlock.attributes(abi)) for abi in KNOWN}
    assert sizes == {1: 8, 2: 8, 3: 8, 4: 16, 5: 16, 6: 24, 7: 24, 8: 24}
    assert struct.unpack("=3Q", landlock.attributes(7)) == (0xFFFF, 0b11, 0b11)


@pytest.mark.skipif(guard.offered() != "", reason=guard.offered() or "offered")
@pytest.mark.parametrize("abi", range(1, 8))
def test_every_version_up_to_this_kernels_is_one_that_it_takes(abi: int, tmp_path: Path) -> None:
    if abi > landlock.version():
        pytest.skip("this kernel's landlock is older")
    code = f"""
from rlm_kernel.repl.guard import guard, landlock
landlock.version = lambda: {abi}
guard.lock(order["workdir"], order["readable"])
with open("own", "w") as file:
    file.write("own")
print(guard.holes(order["workdir"]), open("own").read())
for attempt in (lambda: open(order["papers"], "r+"), lambda: __import__("os").truncate(order["papers"], 0)):
    try:
        attempt()
    except PermissionError:
        print("refused")
"""
    papers = tmp_path / "papers"
    papers.write_text("alpha")
    out = printed(code, tmp_path / "work", lock=False, papers=str(papers))
    assert out == "[] own\nrefused\nrefused\n"
    assert papers.read_text() == "alpha"


def fail(code: int) -> int:
    raise OSError(code, "no")


def test_an_old_kernel_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MACHINE", object())
    monkeypatch.setattr(landlock, "version", lambda: fail(38))
    assert guard.offered() == (
        "this kernel has no landlock, which keeps code away from files: it came with Linux 5.13"
    )
    monkeypatch.setattr(landlock, "version", lambda: fail(95))
    assert "switched off" in guard.offered()
    monkeypatch.setattr(landlock, "version", lambda: fail(1))
    assert guard.offered() == "this system does not let a process use landlock (no)"


def test_a_system_without_filters_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MACHINE", object())
    monkeypatch.setattr(landlock, "version", lambda: 7)
    monkeypatch.setattr(guard.seccomp, "offered", lambda: False)
    assert guard.offered() == "this system does not let a process filter its own system calls (seccomp)"


def test_another_machine_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MACHINE", None)
    assert guard.offered().startswith(
        "the guard is built for 64-bit Linux on x86_64 and aarch64, and this is "
    )
