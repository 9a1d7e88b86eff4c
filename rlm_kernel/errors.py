"""Everything that can go wrong, as one tree. A message names the next move; the facts are fields.

    RLMError
    ├── ConfigError                 a setting that cannot work
    ├── ContextError                the context cannot be moved to where code runs
    │   ├── ContextMissing          a run is to be done again, and its context is not there
    │   └── ContextMismatch         … and what is there is another one
    ├── ModelError                  a model gave no usable reply
    │   ├── KeyRejected             401, 403: the key is missing or wrong
    │   ├── ModelNotFound           404: no such model or path on this server
    │   ├── RequestRejected         other 4xx: the server will not take this request
    │   │   └── ContextTooLong      … because the prompt is longer than the model's window
    │   ├── Redirected              3xx: the server sends requests elsewhere, and none goes there
    │   ├── RateLimited             429, after every retry
    │   ├── QuotaExhausted          429 or 402: nothing is left to pay with
    │   ├── ServerFailed            5xx, after every retry
    │   ├── ServerUnreachable       no connection, or it broke
    │   │   └── TimedOut            no complete reply before the deadline
    │   ├── BadReply                a reply that is malformed or empty
    │   │   └── ReplyRefused        … because the model or a filter refused to answer
    │   ├── ReplyTooLarge           a reply longer than any that makes sense
    │   └── MissingReply            a replay asks what the record has no reply for
    ├── ReplError                   the place where code runs failed
    │   ├── WorkerLost              the worker process ended without being asked to
    │   └── ProtocolError           a frame that breaks the protocol
    ├── LimitExceeded               a limit of the whole run is reached
    ├── UnknownRun                  nobody here has that run
    ├── UnknownStep                 a run has no such call or turn
    ├── NotReached                  a fork ended before the step that it was to change
    ├── NoAnswer                    a run ended without an answer; carries the run
    └── TraceError                  a trace cannot be read
        └── TraceVersionError       written by a newer format

    KeyboardInterrupt
    └── RunInterrupted              Ctrl-C during a run; carries the run, nothing is lost

Code that the model wrote badly is not here: it is data (`CodeExecuted.error`), shown to the model.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself is slow to import
if TYPE_CHECKING:
    from pathlib import Path


class RLMError(Exception):
    """Any error of rlm_kernel. `run` is the run it ended, when there is one."""

    run: object | None = None


class ConfigError(RLMError):
    """A setting that cannot work."""

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class ContextError(RLMError):
    """The context cannot be moved to where code runs."""

    def __init__(self, message: str, *, type_name: str) -> None:
        super().__init__(message)
        self.type_name = type_name


class ContextMissing(ContextError):
    """A run is to be done again, and nobody has its context any more."""


class ContextMismatch(ContextError):
    """A run is to be done again over something that is not its recorded context."""


class ModelError(RLMError):
    """A model gave no usable reply. `status` is the HTTP status, `retries` how often it was tried again. `sent` is
    False where the request certainly never left: it cannot have cost anything. `retry_after` is how many seconds the
    server wants to be left alone."""

    model = ""
    status: int | None = None
    retries = 0
    sent = True
    retry_after: float | None = None

    def __init__(self, message: str, *, model: str, status: int | None = None, retries: int = 0) -> None:
        super().__init__(message)
        self.model = model
        self.status = status
        self.retries = retries


class KeyRejected(ModelError):
    """The server refused the key (401, 403)."""


class ModelNotFound(ModelError):
    """The server has no such model, or the base URL has no chat endpoint (404)."""


class RequestRejected(ModelError):
    """The server will not take this request (another 4xx): too long, say."""


class ContextTooLong(RequestRejected):
    """The prompt is longer than the model's window: `limit` tokens, where the server says it."""

    limit: int | None = None


class Redirected(ModelError):
    """The server sends the request elsewhere (3xx). It is not sent there: a prompt goes where its owner said."""


class RateLimited(ModelError):
    """The server answered 429 to the request and to every retry."""


class QuotaExhausted(ModelError):
    """The account has nothing left (402, or 429 with `insufficient_quota`): another try cannot help."""


class ServerFailed(ModelError):
    """The server answered 5xx to the request and to every retry."""


class ServerUnreachable(ModelError):
    """No connection to the server, or one that broke before the reply was there."""


class TimedOut(ServerUnreachable):
    """No complete reply before the deadline of the request."""


class BadReply(ModelError):
    """The reply is malformed, or has no text."""


class ReplyRefused(BadReply):
    """The model, or a filter before or behind it, refused to answer; `finish_reason` is what the server calls that."""

    finish_reason = ""


class ReplyTooLarge(ModelError):
    """The reply, or what it unpacks to, has more bytes than any that makes sense."""


class MissingReply(ModelError):
    """A replay asks for what the record has no reply to."""

    sent = False


class ReplError(RLMError):
    """The place where code runs failed."""


class WorkerLost(ReplError):
    """The worker process ended without being asked to. `exit_code` is negative for a signal."""

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ProtocolError(ReplError):
    """A frame that breaks the protocol between engine and worker."""


class LimitExceeded(RLMError):
    """A limit of the whole run is reached. `limit` is the setting's name."""

    limit = ""
    used: float = 0
    allowed: float = 0

    def __init__(self, message: str, *, limit: str, used: float, allowed: float) -> None:
        super().__init__(message)
        self.limit = limit
        self.used = used
        self.allowed = allowed


class UnknownRun(RLMError):
    """Nobody here has the run of that id."""

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class UnknownStep(RLMError, KeyError):
    """The run has no call or turn of that path."""

    def __init__(self, message: str, *, step: str) -> None:
        super().__init__(message)
        self.step = step

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError shows its `repr`


class NotReached(RLMError):
    """The code did something else this time, and the run never came to the step that was to be changed."""


class NoAnswer(RLMError):
    """A run ended without an answer; `run` has its tree and trace."""


class TraceError(RLMError):
    """A trace cannot be read. `line` counts from 1."""

    def __init__(self, message: str, *, path: Path | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


class TraceVersionError(TraceError):
    """The trace was written by a newer format than this version reads."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run; `run` has everything up to then."""

    def __init__(self, run: object) -> None:
        super().__init__("run interrupted: its tree, trace and partial answer are kept")
        self.run = run


__all__ = [
    "BadReply",
    "ConfigError",
    "ContextError",
    "ContextMismatch",
    "ContextMissing",
    "ContextTooLong",
    "KeyRejected",
    "LimitExceeded",
    "MissingReply",
    "ModelError",
    "ModelNotFound",
    "NoAnswer",
    "NotReached",
    "ProtocolError",
    "QuotaExhausted",
    "RLMError",
    "RateLimited",
    "Redirected",
    "ReplError",
    "ReplyRefused",
    "ReplyTooLarge",
    "RequestRejected",
    "RunInterrupted",
    "ServerFailed",
    "ServerUnreachable",
    "TimedOut",
    "TraceError",
    "TraceVersionError",
    "UnknownRun",
    "UnknownStep",
    "WorkerLost",
]
