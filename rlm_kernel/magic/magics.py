"""`%%rlm` and `%rlm`: the door for people in a notebook.

Here is what can be typed, and what is wrong with what was; `asking` and `commands` do it.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope
from IPython.core.magic_arguments import argument, magic_arguments
from traitlets import Bool, Float, Int, List, Unicode
from traitlets.config import Config

from rlm_kernel.magic.control import Control
from rlm_kernel.magic.keys import check_settings, refuse_keys
from rlm_kernel.magic.variables import check_name, context_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from rlm_kernel.run import Run

DERIVING = ("replay", "rerun", "fork", "resume", "diff")
"""The commands of `%rlm` that make a run from a run, or compare two; some take the body of a cell."""
COMMANDS = ("list", "show", "models", "config", "help", "doctor", *DERIVING)
"""The commands of `%rlm`."""


@magics_class
class RlmMagics(Magics):
    """The magics and their defaults: `%config RlmMagics.model = "…"` sets one for the notebook."""

    model = Unicode("", help="The model for rlm calls: a name, or demo.").tag(config=True)
    sub_model = Unicode("", help="The model for plain sub-calls; the same when empty.").tag(config=True)
    base_url = Unicode("", help="An OpenAI-compatible server; OPENAI_BASE_URL when empty.").tag(config=True)
    max_turns = Int(20, help="Turns of one rlm call.").tag(config=True)
    max_calls = Int(500, help="Sub-calls of a whole run.").tag(config=True)
    max_depth = Int(2, help="The deepest sub-call: 0 none, 1 plain requests, 2 children with a REPL.").tag(
        config=True
    )
    max_tokens = Int(None, allow_none=True, help="Tokens of a whole run.").tag(config=True)
    max_seconds = Float(None, allow_none=True, help="Seconds of a whole run.").tag(config=True)
    max_errors = Int(5, help="Turns in a row without working code, in one rlm call.").tag(config=True)
    concurrency = Int(64, help="Requests under way at the same time.").tag(config=True)
    block_seconds = Float(60.0, help="A block's own time, without its sub-calls.").tag(config=True)
    request_seconds = Float(120.0, help="One request with its retries.").tag(config=True)
    pause_seconds = Float(120.0, help="How long a run waits for a server that is out; 0: not at all.").tag(
        config=True
    )
    temperature = Float(None, allow_none=True, help="Left to the server when None.").tag(config=True)
    isolation = Unicode(
        "auto",
        help="auto (guarded where the system can), strict (guarded or nothing), worker, bwrap, inline, kernel:NAME.",
    ).tag(config=True)
    memory_mb = Int(
        None, allow_none=True, help="Megabytes of a worker; half of the machine's when None."
    ).tag(config=True)
    readable = List(Unicode(), help="Files and folders that guarded code may read.").tag(config=True)
    step = Bool(False, help="Hold each block until a person has it run, changes it or skips it.").tag(
        config=True
    )
    cache = Bool(False, help="Take replies of identical requests from earlier runs.").tag(config=True)
    trace_dir = Unicode(".rlm", help="Where traces go.").tag(config=True)
    inline_kb = Int(
        256,
        min=0,
        help="Kilobytes of the tree kept in the notebook as JSON, half as much HTML; 0 keeps no JSON.",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.host = shell
        self.runs: list[Run] = []
        self.sizes: dict[str, int] = {}
        self.control = Control(self)

    def update_config(self, config: Config) -> None:
        """Takes what `%config` sets. Raises `UsageError` for a key."""
        check_settings(list(config.get("RlmMagics", {}).items()))
        super().update_config(config)

    @magic_arguments("%%rlm")
    @argument("names", nargs="*", help="The variable to ask about; several become a dict by name.")
    @argument(
        "-o", "--out", metavar="NAME", help="Bind the Run to this variable; it is there from the start."
    )
    @argument(
        "-m", "--model", help="The model for rlm calls; 'demo' needs no key and is not a language model."
    )
    @argument("--sub-model", help="The model for plain sub-calls.")
    @argument("--base-url", help="Any OpenAI-compatible server, up to and with /v1.")
    @argument("--max-turns", type=int, help="Turns of one rlm call.")
    @argument("--max-calls", type=int, help="Sub-calls of the whole run.")
    @argument(
        "--max-depth",
        type=int,
        help="The deepest sub-call: 0 none, 1 plain requests, 2 children with a REPL.",
    )
    @argument("--max-tokens", type=int, help="Tokens of the whole run.")
    @argument("--max-seconds", type=float, help="Seconds of the whole run.")
    @argument("--max-errors", type=int, help="Turns in a row without working code, in one rlm call.")
    @argument("--concurrency", type=int, help="Requests under way at the same time.")
    @argument("--block-seconds", type=float, help="A block's own time, without its sub-calls.")
    @argument("--request-seconds", type=float, help="One request with its retries.")
    @argument("--pause-seconds", type=float, help="How long to wait for a server that is out.")
    @argument("--temperature", type=float, help="Left to the server when not given.")
    @argument(
        "--isolation",
        help="auto: guarded where the system can; strict: guarded or nothing; worker; bwrap; kernel:NAME; inline: no protection.",
    )
    @argument("--memory-mb", type=int, help="Megabytes that the model's code may have beside the context.")
    @argument(
        "--readable",
        action="append",
        metavar="PATH",
        help="A file or folder that guarded code may read; can be given again.",
    )
    @argument(
        "--step",
        action="store_true",
        default=None,
        help="Hold each block until you have it run, change it or skip it.",
    )
    @argument(
        "--cache",
        action="store_true",
        default=None,
        help="Take replies of identical requests from earlier runs; they are shown as replayed.",
    )
    @argument("--trace-dir", help="Where the trace goes.")
    @argument(
        "--inline-kb", type=int, help="Kilobytes of the tree kept in the notebook as JSON, half as much HTML."
    )
    @needs_local_scope
    @line_cell_magic
    def rlm(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> None:
        """Ask a question about a live variable with a Recursive Language Model.

        %%rlm papers
        Which of these papers disagree, and where?

        The tree grows below the cell, the answer under it; both stay in the saved notebook. `-o run` keeps the
        Run: run.answer, run["0.2.1"], run.usage, run.save("papers.rlm.jsonl"). `%rlm help` lists the line commands.
        """
        words = line.split()
        refuse_keys(words)
        if cell is None:
            _load("commands").dispatch(self, line)
            return
        if len(words) > 1 and words[0] in DERIVING and words[0] not in self.variables:
            derive = _load("derive")
            derive.command(self, words[0], derive.split(line)[1:], cell)
            return
        arguments = self._arguments(line)
        if not cell.strip():
            raise UsageError("the question is empty: write it below the %%rlm line")
        context, name = context_of(arguments.names, local_ns or {}, self._callers_locals(), self.variables)
        _load("asking").ask(self, cell, context, name, arguments)

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's variables."""
        space: dict[str, Any] = self.host.user_ns
        return space

    def size_of(self, run_id: str) -> int:
        """Kilobytes of JSON that the notebook keeps of the run: as its cell said, or as all of them."""
        kilobytes: int = self.sizes.get(run_id, self.inline_kb)
        return kilobytes

    def _callers_locals(self) -> dict[str, Any]:
        # IPython gives a cell magic the notebook's variables as its local ones, also inside a function.
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_globals is not self.variables:
            frame = frame.f_back
        return {} if frame is None else frame.f_locals

    def _arguments(self, line: str) -> argparse.Namespace:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{error}: check the quotes in the %%rlm line") from None
        refuse_keys(words)
        _refuse_unexpanded(words)
        arguments: argparse.Namespace = self.rlm.parser.parse_args(words)
        check_name(arguments.out)
        if arguments.out in arguments.names:
            raise UsageError(
                f"-o {arguments.out} would replace the variable you ask about; choose another name"
            )
        if arguments.inline_kb is not None and arguments.inline_kb < 0:
            raise UsageError(f"inline_kb must be at least 0, not {arguments.inline_kb}")
        return arguments


def _load(name: str) -> Any:
    # The engine is loaded by the first cell that uses it: %load_ext must cost a notebook nothing.
    return import_module(f"rlm_kernel.magic.{name}")


def _refuse_unexpanded(words: list[str]) -> None:
    for word in words:
        if "$" in word:
            name = word.partition("$")[2].strip("{}")
            raise UsageError(
                f"${name} is not a variable, so it was left as it is; define {name} or write the value"
            )


__all__ = ["COMMANDS", "RlmMagics"]
