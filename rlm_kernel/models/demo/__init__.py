"""`--model demo`: rules that stand in for a model where there is no key. Not a language model."""

from rlm_kernel.models.demo.model import DemoModel

__all__ = ["DemoModel"]
