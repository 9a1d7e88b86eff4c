"""How a context becomes bytes and a context again. Both sides use this; only a worker ever loads.

The route fits the type: text and bytes as they are, plain containers by `marshal` (no code can hide in it, and
equal values give equal bytes, so a hash of them is a content hash), anything else by pickle with its large buffers
beside it, where the worker maps them.
"""

from __future__ import annotations

from rlm_kernel.repl.routes.decoding import decode
from rlm_kernel.repl.routes.encoding import ROUTES, encode

__all__ = ["ROUTES", "decode", "encode"]
