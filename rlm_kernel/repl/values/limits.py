"""What may pass as the variables of a child namespace; both sides hold it."""

from __future__ import annotations

import re

BUDGET_BYTES = 64_000_000
MAX_DEPTH = 100
"""Containers within containers."""
MAX_LISTS = 4_000_000
"""Opening brackets in the JSON of one variable: each can cost a reader a hundred bytes."""
MAX_NUMBER_BITS = 4096
"""Of a number that is hashed: comparing two takes the square of their length."""
MAX_DIGITS = 20_000
"""Of a decimal, for the same reason."""
MAX_ITEM_BYTES = 16_000_000
"""Of one item of an array."""
MAX_EMPTY_ROWS = 10**7
"""Of a table without columns, whose rows nobody has to send."""
MAX_VARIABLES = 10_000
"""The first ones of a namespace; the rest is not given."""

ZONE_KEY = re.compile(r"[A-Za-z0-9_+\-]{1,40}(/[A-Za-z0-9_+\-]{1,40}){0,3}").fullmatch
"""The name of a time zone: `Europe/Berlin`."""

__all__ = [
    "BUDGET_BYTES",
    "MAX_DEPTH",
    "MAX_DIGITS",
    "MAX_EMPTY_ROWS",
    "MAX_ITEM_BYTES",
    "MAX_LISTS",
    "MAX_NUMBER_BITS",
    "MAX_VARIABLES",
    "ZONE_KEY",
]
