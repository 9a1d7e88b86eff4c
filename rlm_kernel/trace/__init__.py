"""Floor 0: what happened. Pure data and its file format; standard library only."""

from rlm_kernel.trace.call import Block, Call, Tree, Turn
from rlm_kernel.trace.codec import from_dict, to_dict
from rlm_kernel.trace.events import (
    FORMAT,
    CallFinished,
    CallStarted,
    CodeExecuted,
    Event,
    ModelAsked,
    ModelReplied,
    RunFinished,
    RunStarted,
)
from rlm_kernel.trace.recorder import Recorder
from rlm_kernel.trace.store import SUFFIX, TraceWriter, load, save
from rlm_kernel.trace.trace import Trace
from rlm_kernel.trace.values import (
    MODE_LABELS,
    Batch,
    CallKind,
    ContextCard,
    ErrorInfo,
    Message,
    Mode,
    RichOutput,
    Site,
    Status,
    Usage,
    Variable,
    VariableChanges,
)

__all__ = [
    "FORMAT",
    "MODE_LABELS",
    "SUFFIX",
    "Batch",
    "Block",
    "Call",
    "CallFinished",
    "CallKind",
    "CallStarted",
    "CodeExecuted",
    "ContextCard",
    "ErrorInfo",
    "Event",
    "Message",
    "Mode",
    "ModelAsked",
    "ModelReplied",
    "Recorder",
    "RichOutput",
    "RunFinished",
    "RunStarted",
    "Site",
    "Status",
    "Trace",
    "TraceWriter",
    "Tree",
    "Turn",
    "Usage",
    "Variable",
    "VariableChanges",
    "from_dict",
    "load",
    "save",
    "to_dict",
]
