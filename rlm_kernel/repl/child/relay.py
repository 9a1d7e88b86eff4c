"""The relay: what runs in a foreign kernel. It is sent there as text, so it knows the standard library and `comm` alone.

It starts a bridge (`repl/bridge.py`, out of the package that is sent along) and carries bytes: those that come as answers
to `input()` go to it, those that it says go out as comm messages. Nothing listens anywhere. When whoever started the
kernel is gone, the kernel ends, and what it started with it.
"""

from __future__ import annotations

import base64
import contextlib
import contextvars
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from typing import Any

_READ = 1 << 20
_POLL_SECONDS = 0.2
_BOOT = (
    "import sys; sys.path.insert(0, {root!r}); import rlm_kernel; sys.path.append(sys.path.pop(0)); "
    "from rlm_kernel.repl.bridge import main; main({root!r}, {path!r})"
)


def relay(order: dict[str, Any]) -> None:
    """Carries bytes until the bridge or the other side is gone."""
    from comm import create_comm  # every Python kernel has it

    root = tempfile.mkdtemp(prefix="rlm-kernel-")
    comm = create_comm(target_name="rlm_kernel", comm_id=order["comm"])
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(order["package"]))) as package:
            package.extractall(root)
        bridge = _start(root)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    signs = Signs(order)
    _thread(lambda: _carry_up(bridge, comm))
    _thread(signs.watch)
    try:
        _carry_down(bridge, signs)
    finally:
        bridge.stdin.close()  # type: ignore[union-attr]
        bridge.wait()


def _start(root: str) -> subprocess.Popen[bytes]:
    path = [os.path.abspath(each) for each in sys.path]
    kept = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-X", "utf8", "-c", _BOOT.format(root=root, path=path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={name: os.environ[name] for name in kept if name in os.environ},
        cwd=root,
        start_new_session=True,  # an interrupt of the kernel is not for it
    )


def _carry_up(bridge: subprocess.Popen[bytes], comm: Any) -> None:
    while data := os.read(bridge.stdout.fileno(), _READ):  # type: ignore[union-attr]
        comm.send({"op": "bytes"}, buffers=[data])
    said = bridge.stderr.read()[-2000:].decode("utf-8", "replace")  # type: ignore[union-attr]
    comm.send({"op": "ended", "code": bridge.wait(), "said": said})


def _carry_down(bridge: subprocess.Popen[bytes], signs: Signs) -> None:
    with contextlib.suppress(BrokenPipeError, EOFError, KeyboardInterrupt):
        while True:
            text = input()
            signs.last = time.monotonic()
            view = memoryview(base64.b64decode(text))
            while view:
                view = view[bridge.stdin.write(view) :]  # type: ignore[union-attr]


class Signs:
    """Signs of life of whoever started this kernel: its process, where that is on this machine, and what it sends."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.last = time.monotonic()
        self._patience = order["patience"]
        here = order["host"] == socket.gethostname() and order["parent"] == os.getppid()
        self._parent = order["parent"] if here else 0

    def watch(self) -> None:
        """Ends this process when there is no sign any more."""
        while True:
            time.sleep(_POLL_SECONDS)
            orphan = self._parent and os.getppid() != self._parent
            if orphan or time.monotonic() > self.last + self._patience:
                os._exit(1)


def _thread(work: Any) -> None:
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(work,), daemon=True).start()


__all__ = ["Signs", "relay"]
