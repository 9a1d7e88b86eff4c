"""`%%rlm` and `%rlm`: the door for people in a notebook.

The cell's thread only waits and draws: the run lives on the engine's own thread, so Ctrl-C arrives at once, stops
every call of it, and leaves the tree, the trace and the `Run`.
"""

from __future__ import annotations

import argparse
import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from traitlets import Float, Int, Unicode

from rlm_kernel.errors import RLMError
from rlm_kernel.magic import commands
from rlm_kernel.magic.watch import explain, watch
from rlm_kernel.run import RLM, Run

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

OPTIONS = (
    "model",
    "sub_model",
    "base_url",
    "max_turns",
    "max_calls",
    "max_depth",
    "max_tokens",
    "max_seconds",
    "concurrency",
    "block_seconds",
    "request_seconds",
    "temperature",
    "trace_dir",
)


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
    concurrency = Int(64, help="Requests under way at the same time.").tag(config=True)
    block_seconds = Float(60.0, help="A block's own time, without its sub-calls.").tag(config=True)
    request_seconds = Float(120.0, help="One request with its retries.").tag(config=True)
    temperature = Float(None, allow_none=True, help="Left to the server when None.").tag(config=True)
    trace_dir = Unicode(".rlm", help="Where traces go.").tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell
        self.runs: list[Run] = []

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
    @argument("--concurrency", type=int, help="Requests under way at the same time.")
    @argument("--block-seconds", type=float, help="A block's own time, without its sub-calls.")
    @argument("--request-seconds", type=float, help="One request with its retries.")
    @argument("--temperature", type=float, help="Left to the server when not given.")
    @argument("--trace-dir", help="Where the trace goes.")
    @needs_local_scope
    @line_cell_magic
    def rlm(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> None:
        """Ask a question about a live variable with a Recursive Language Model.

        %%rlm papers
        Which of these papers disagree, and where?

        The tree grows below the cell, the answer under it; both stay in the saved notebook. `-o run` keeps the
        Run: run.answer, run["0.2.1"], run.usage, run.save("papers.rlm.jsonl"). `%rlm help` lists the line commands.
        """
        if cell is None:
            commands.dispatch(self, line)
            return
        arguments = self._arguments(line)
        query = cell.strip()
        if not query:
            raise UsageError("the question is empty: write it below the %%rlm line")
        context, name = self._context(arguments.names, local_ns or {})
        self._ask(query, context, name, arguments)

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's variables."""
        space: dict[str, Any] = self._shell.user_ns
        return space

    def engine(self, arguments: argparse.Namespace | None = None) -> RLM:
        """The RLM of these arguments over the notebook's defaults. Raises `UsageError`."""
        chosen = {name: getattr(arguments, name, None) for name in OPTIONS}
        options = {name: getattr(self, name) if value is None else value for name, value in chosen.items()}
        for name in ("model", "sub_model", "base_url"):
            options[name] = options[name] or None
        try:
            return RLM(**options)
        except RLMError as error:
            raise UsageError(str(error)) from None

    def _arguments(self, line: str) -> argparse.Namespace:
        _refuse_unexpanded(line)
        try:
            arguments: argparse.Namespace = parse_argstring(self.rlm, line)
        except ValueError as error:
            raise UsageError(f"{error}: check the quotes in the %%rlm line") from None
        if arguments.out and not arguments.out.isidentifier():
            raise UsageError(f"-o takes a variable's name, not {arguments.out!r}")
        return arguments

    def _context(self, names: list[str], local_ns: dict[str, Any]) -> tuple[Any, str]:
        if not names:
            raise UsageError(
                f"name the variable to ask about: %%rlm NAME.{_some_variables(self._shell.user_ns)}"
            )
        values = {name: self._variable(name, local_ns) for name in names}
        if len(values) == 1:
            return values[names[0]], names[0]
        return values, "-".join(values)

    def _variable(self, name: str, local_ns: dict[str, Any]) -> Any:
        for space in (local_ns, self._shell.user_ns):
            if name in space:
                return space[name]
        near = get_close_matches(name, [*local_ns, *self._shell.user_ns], n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(near)}?" if near else _some_variables(self._shell.user_ns)
        raise UsageError(f"there is no variable {name!r}.{hint}")

    def _ask(self, query: str, context: Any, name: str, arguments: argparse.Namespace) -> None:
        rlm = self.engine(arguments)
        try:
            run = rlm.start(query, context=context, name=name)
        except RLMError as error:
            raise UsageError(str(error)) from None
        self._keep(run, arguments.out)
        ended_by = watch(run, live=hasattr(self._shell, "kernel"))
        self._shell.displayhook.update_user_ns(run)  # `_` is the run, without showing it a second time
        if ended_by is not None:
            raise UsageError(explain(ended_by))

    def _keep(self, run: Run, out: str | None) -> None:
        self.runs.append(run)
        if out:
            self._shell.user_ns[out] = run


def _refuse_unexpanded(line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: check the quotes in the %%rlm line") from None
    for word in words:
        if word.startswith(("--api-key", "--key", "sk-")):
            raise UsageError(
                "a key does not belong into a notebook: set OPENAI_API_KEY before Jupyter starts"
            )
        if "$" in word:
            name = word.partition("$")[2].strip("{}")
            raise UsageError(
                f"${name} is not a variable, so it was left as it is; define {name} or write the value"
            )


def _some_variables(space: dict[str, Any]) -> str:
    hidden = (type(argparse), type)
    names = [
        name
        for name, value in space.items()
        if not name.startswith("_")
        and name not in ("In", "Out", "exit", "quit", "get_ipython", "open")
        and not isinstance(value, hidden)
        and not callable(value)
    ]
    return (
        f" There are: {', '.join(names[:8])}."
        if names
        else " There is no variable yet: load your data first."
    )


__all__ = ["OPTIONS", "RlmMagics"]
