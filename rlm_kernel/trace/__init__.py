"""Floor 0: what happened. Pure data and its file format; standard library only."""

from rlm_kernel.trace.call import Block, Call, Tree, Turn
from rlm_kernel.trace.codec import from_dict, to_dict
from rlm_kernel.trace.events import (
    FORMAT,
    BlockHeld,
    CallFinished,
    CallStarted,
    CodeExecuted,
    Event,
    ModelAsked,
    ModelReplied,
    RunContinued,
    RunFinished,
    RunPaused,
    RunStarted,
)
from rlm_kernel.trace.peek import Peek, peek
from rlm_kernel.trace.reader import load
from rlm_kernel.trace.recorder import Recorder
from rlm_kernel.trace.redact import Redactor, environment_secrets, redact, redact_keys
from rlm_kernel.trace.step import Step, find_step
from rlm_kernel.trace.store import SUFFIX
from rlm_kernel.trace.trace import Trace
from rlm_kernel.trace.values import (
    MODE_LABELS,
    Batch,
    CallKind,
    ContextCard,
    Decision,
    Derived,
    Divergence,
    ErrorInfo,
    Message,
    Mode,
    Origin,
    Original,
    RichOutput,
    Site,
    Status,
    Usage,
    Variable,
    VariableChanges,
)
from rlm_kernel.trace.writer import TraceWriter, save

__all__ = [
    "FORMAT",
    "MODE_LABELS",
    "SUFFIX",
    "Batch",
    "Block",
    "BlockHeld",
    "Call",
    "CallFinished",
    "CallKind",
    "CallStarted",
    "CodeExecuted",
    "ContextCard",
    "Decision",
    "Derived",
    "Divergence",
    "ErrorInfo",
    "Event",
    "Message",
    "Mode",
    "ModelAsked",
    "ModelReplied",
    "Origin",
    "Original",
    "Peek",
    "Recorder",
    "Redactor",
    "RichOutput",
    "RunContinued",
    "RunFinished",
    "RunPaused",
    "RunStarted",
    "Site",
    "Status",
    "Step",
    "Trace",
    "TraceWriter",
    "Tree",
    "Turn",
    "Usage",
    "Variable",
    "VariableChanges",
    "environment_secrets",
    "find_step",
    "from_dict",
    "load",
    "peek",
    "redact",
    "redact_keys",
    "save",
    "to_dict",
]
