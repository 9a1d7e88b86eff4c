"""Floor 4: what Python users hold."""

from rlm_kernel.run.node import Node
from rlm_kernel.run.rlm import RLM
from rlm_kernel.run.run import Run, load
from rlm_kernel.run.variants import Variants

__all__ = ["RLM", "Node", "Run", "Variants", "load"]
