"""`TraceWriter`: appends events to a file, each in one unbuffered write, so that a killed process loses nothing that was
recorded. The file is private to its owner, and nobody else's: it is made new or not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlm_kernel.trace.codec import to_dict
from rlm_kernel.trace.events import Event
from rlm_kernel.trace.store import MAX_EVENT_BYTES, MAX_TEXT_BYTES, TEXT_CHARS, TEXT_KEY, digest
from rlm_kernel.trace.syncer import Syncer, check_place, sync_folder
from rlm_kernel.trace.trace import Trace

LAZY_LINES = 500
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class TraceWriter:
    """Appends events to one new file. Raises `OSError` where the disk does, `ValueError` for what no reader would take.

    With `lazy` it writes when much has come together and when it is closed: for a replay, of which a crash takes
    nothing that another replay does not bring back. A `syncer` has it survive power cuts too, and tells `failed`, on
    its own thread, what goes wrong with that.
    """

    def __init__(
        self,
        path: Path,
        *,
        lazy: bool = False,
        syncer: Syncer | None = None,
        failed: Callable[[OSError], None] | None = None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._texts: set[str] = set()
        self._lazy = lazy
        self._kept: list[str] = []
        self._syncer = syncer
        if syncer is not None:
            syncer.add(self._fd, path, failed or _ignored)

    def write(self, event: Event, *, matters: bool = False) -> None:
        """Writes the event, after the texts it is the first to use. One that `matters` is synced at once."""
        data = to_dict(event)
        lines = [_line(data)]
        if (
            len(lines[0]) > TEXT_CHARS or '"$' in lines[0]
        ):  # else there is no long text in it, and no key like ours
            lines = []
            data = self._refer(data, lines)
            lines.append(_line(data))
            if len(lines[-1]) > MAX_EVENT_BYTES:
                raise ValueError(f"an event of {len(lines[-1]):,} bytes, which no reader would take")
        self._kept += lines
        if not self._lazy or len(self._kept) >= LAZY_LINES:
            self._flush()
        if self._syncer is not None and not self._lazy:
            self._syncer.wrote(self._fd, now=matters)

    def sync(self) -> None:
        """Makes what was written survive a power cut. Waits for the disk."""
        self._flush()
        os.fsync(self._fd)
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Closes the file; a second close does nothing. Raises `FileNotFoundError` when somebody took the file away."""
        if self._fd < 0:
            return
        try:
            self._flush()
            if self._syncer is not None:
                check_place(self._fd, self.path)
                self._syncer.wrote(self._fd)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if self._syncer is None:
            os.close(fd)
        else:
            self._syncer.close(fd)

    def _flush(self) -> None:
        kept, self._kept = self._kept, []
        _write_all(self._fd, "".join(kept).encode("ascii"))

    def _refer(self, value: Any, lines: list[str]) -> Any:
        if isinstance(value, str):
            return self._text(value, lines) if len(value) > TEXT_CHARS else value
        if isinstance(value, list):
            return [self._refer(item, lines) for item in value]
        if isinstance(value, dict):
            return {_escape(key): self._refer(item, lines) for key, item in value.items()}
        return value

    def _text(self, text: str, lines: list[str]) -> dict[str, str]:
        name = digest(text)
        if name not in self._texts:
            line = _line({"type": "text", "hash": name, "text": text})
            if len(line) > MAX_TEXT_BYTES:
                raise ValueError(f"a text of {len(text):,} characters, which no reader would take")
            self._texts.add(name)
            lines.append(line)
        return {TEXT_KEY: name}


def save(trace: Trace, path: str | Path) -> Path:
    """The path of a new file with the whole trace. An existing file is replaced only when all is written."""
    target = Path(path).expanduser()
    scratch = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    writer = TraceWriter(scratch)
    try:
        for event in trace.events:
            writer.write(event)
        writer.sync()
        scratch.replace(target)
        sync_folder(target.parent)
    finally:
        writer.close()
        scratch.unlink(missing_ok=True)
    return target


def _ignored(error: OSError) -> None:
    """Nobody wants to know."""


def _escape(key: str) -> str:
    # A key of the data that looks like ours.
    return f"${key}" if key.startswith("$") else key


def _line(data: dict[str, Any]) -> str:
    return _encode(data) + "\n"


def _write_all(fd: int, data: bytes) -> None:
    # A full disk can take part of a write without an error; the next write then says so.
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


__all__ = ["TraceWriter", "save"]
