"""Traces on disk: one JSON object a line, appended as things happen, readable after any crash.

Each event is one unbuffered write, so a killed kernel loses nothing that was recorded. A text longer than
`TEXT_CHARS` is written once, as a `text` line under its SHA-256, before the first event that uses it; the event
holds `{"$text": hash}`. The file is private to its owner.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

from rlm_kernel.errors import TraceError, TraceVersionError
from rlm_kernel.trace.codec import from_dict, to_dict
from rlm_kernel.trace.events import FORMAT, Event, RunStarted
from rlm_kernel.trace.trace import Trace

SUFFIX = ".rlm.jsonl"
TEXT_CHARS = 1024
TEXT_KEY = "$text"
LAZY_LINES = 500
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_TORN = "the last line was cut off while it was written and is left out"


class TraceWriter:
    """Appends events to one file. Raises `OSError` where the disk does.

    With `lazy` it writes when much has come together and when it is closed: for a replay, of which a crash takes
    nothing that another replay does not bring back.
    """

    def __init__(self, path: Path, *, lazy: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._texts: set[str] = set()
        self._lazy = lazy
        self._kept: list[str] = []

    def write(self, event: Event) -> None:
        """Writes the event, after the texts it is the first to use."""
        data = to_dict(event)
        lines = [_line(data)]
        if (
            len(lines[0]) > TEXT_CHARS or '"$' in lines[0]
        ):  # else there is no long text in it, and no key like ours
            lines = []
            data = self._refer(data, lines)
            lines.append(_line(data))
        self._kept += lines
        if not self._lazy or len(self._kept) >= LAZY_LINES:
            self._flush()

    def sync(self) -> None:
        """Makes what was written survive a power cut."""
        self._flush()
        os.fsync(self._fd)

    def close(self) -> None:
        """Closes the file; a second close does nothing."""
        if self._fd < 0:
            return
        try:
            self._flush()
        finally:
            os.close(self._fd)
            self._fd = -1

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
        digest = _digest(text)
        if digest not in self._texts:
            self._texts.add(digest)
            lines.append(_line({"type": "text", "hash": digest, "text": text}))
        return {TEXT_KEY: digest}


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
    finally:
        writer.close()
        scratch.unlink(missing_ok=True)
    return target


def load(path: str | Path) -> Trace:
    """The trace in a file. Nothing in it is run or fetched.

    A torn last line, as a crash leaves it, is dropped and named in `trace.warning`. Raises `TraceError` for
    anything else that is not a trace, `TraceVersionError` for one of a newer format.
    """
    file = Path(path).expanduser()
    reader = _Reader(file)
    trace = Trace(reader.events())
    trace.path = file
    trace.warning = _TORN if reader.torn else ""
    return trace


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: dict[str, str] = {}
        self.torn = False

    def events(self) -> list[Event]:
        lines = self._lines()
        events: list[Event] = []
        for number, line in enumerate(lines, 1):
            data = self._parse(line, number)
            if data.get("type") == "text":
                self._keep(data, number)
                continue
            event = self._event(data, number)
            if event is not None:
                events.append(event)
        if not events or not isinstance(events[0], RunStarted):
            raise TraceError(
                f"{self.path} is not a trace: it does not begin with a run", path=self.path, line=1
            )
        return events

    def _lines(self) -> list[bytes]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            raise TraceError(f"no trace at {self.path}", path=self.path) from None
        except OSError as error:
            raise TraceError(f"cannot read {self.path}: {error.strerror or error}", path=self.path) from None
        # Only a newline ends a line (`splitlines` would cut at U+2028), and what follows the last one is torn.
        *lines, rest = content.split(b"\n")
        self.torn = bool(rest)
        return lines

    def _keep(self, data: dict[str, Any], number: int) -> None:
        text = data.get("text")
        if not isinstance(text, str) or data.get("hash") != _digest(text):
            raise self._error("is not the text of its hash", number)
        self.texts[data["hash"]] = text

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            data = json.loads(line, parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise self._error(f"is not JSON ({error})", number) from None
        if not isinstance(data, dict):
            raise self._error("is not an object", number)
        return data

    def _event(self, data: dict[str, Any], number: int) -> Event | None:
        version = data.get("format", FORMAT)
        if not isinstance(version, int) or version > FORMAT:
            raise TraceVersionError(
                f"{self.path} has trace format {version}; this rlm_kernel reads up to {FORMAT}. "
                "Update it: pip install -U rlm-kernel",
                path=self.path,
                line=number,
            )
        try:
            if TEXT_KEY in data:
                raise TraceError("a text where an event was expected")
            return from_dict(self._resolve(data))
        except (TraceError, RecursionError) as error:
            raise self._error(f"does not fit: {error}", number) from None

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if TEXT_KEY in value:
            digest = str(value[TEXT_KEY])
            if digest not in self.texts:
                raise TraceError(f"text {digest[:12]} is missing")
            return self.texts[digest]
        return {key.removeprefix("$"): self._resolve(item) for key, item in value.items()}

    def _error(self, what: str, number: int) -> TraceError:
        return TraceError(f"{self.path}, line {number} {what}", path=self.path, line=number)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _escape(key: str) -> str:
    # A key of the data that looks like ours.
    return f"${key}" if key.startswith("$") else key


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal} is not a number of JSON")
    return number


def _line(data: dict[str, Any]) -> str:
    return _encode(data) + "\n"


def _write_all(fd: int, data: bytes) -> None:
    # A full disk can take part of a write without an error; the next write then says so.
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


__all__ = ["SUFFIX", "TraceWriter", "load", "save"]
