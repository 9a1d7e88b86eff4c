"""Floor 1: who answers. Models do not know where code runs."""

from rlm_kernel.models.base import Model, Reply, Request, estimate
from rlm_kernel.models.openai import OpenAIModel
from rlm_kernel.models.renamed import RenamedModel
from rlm_kernel.models.resolve import NO_MODEL, resolve
from rlm_kernel.models.scripted import ScriptedModel
from rlm_kernel.models.silent import SilentModel

__all__ = [
    "NO_MODEL",
    "Model",
    "OpenAIModel",
    "RenamedModel",
    "Reply",
    "Request",
    "ScriptedModel",
    "SilentModel",
    "estimate",
    "resolve",
]
