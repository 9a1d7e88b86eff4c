"""A notebook without a kernel: an IPython shell that keeps what is displayed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core import page
from IPython.core.completer import provisionalcompleter
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from server import ChatServer, Script
from traitlets import Type
from traitlets.config import Config

OWN = re.compile(r"_|__|___|_\d+|_i+|_i\d+|_[ido]h|_exit_code")


class Shell(InteractiveShell):
    display_pub_class = Type(CapturingDisplayPublisher)


class Notebook:
    """Runs cells; `displayed` are the MIME bundles shown, `names` the user's variables."""

    def __init__(self, shell: Shell, capfd: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self.space: dict[str, Any] = shell.user_ns
        self._capture = capfd
        self._first = set(shell.user_ns)

    def cell(self, text: str) -> ExecutionResult:
        return self.shell.run_cell(text, store_history=True)

    def printed(self, text: str) -> tuple[str, str]:
        """What a cell writes to its stdout and stderr."""
        self._capture.readouterr()
        self.cell(text)
        return self._capture.readouterr()

    def output(self, text: str) -> str:
        """What a cell prints; it must not fail."""
        out, err = self.printed(text)
        assert err == ""
        return out

    def mistake(self, text: str) -> str:
        """The one line of a usage error that the cell ends with."""
        out, err = self.printed(text)
        assert out == ""
        name, _, message = err.rstrip("\n").partition(": ")
        assert name == "UsageError", err
        assert "\n" not in message, message
        return message

    @property
    def displayed(self) -> list[dict[str, Any]]:
        return [output["data"] for output in self.shell.display_pub.outputs]

    @property
    def names(self) -> set[str]:
        return {name for name in set(self.space) - self._first if not OWN.fullmatch(name)}

    def completions(self, text: str, at: int | None = None) -> list[str]:
        """What Tab offers at `at`, by default at the end, as a kernel asks for it."""
        with provisionalcompleter():
            found = self.shell.Completer.completions(text, len(text) if at is None else at)
            return [item.text for item in found]


@pytest.fixture
def bare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Notebook]:
    """A notebook that has not loaded the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    Shell.clear_instance()
    shell = Shell.instance(config=config)
    shell.set_hook("show_in_pager", page.as_hook(page.display_page), 90)
    yield Notebook(shell, capfd)
    shell.restore_sys_module_state()
    Shell.clear_instance()


@pytest.fixture
def notebook(bare: Notebook) -> Notebook:
    bare.cell("%load_ext rlm_kernel")
    return bare


@pytest.fixture
def serve() -> Iterator[Callable[..., ChatServer]]:
    """Starts servers that end with the test."""
    servers: list[ChatServer] = []

    def start(script: Script, **options: Any) -> ChatServer:
        servers.append(ChatServer(script, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
