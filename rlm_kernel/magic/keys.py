"""Keys do not belong into a notebook, which keeps what is typed and shows it to others: they are refused here.

What was typed is never repeated: an error is saved with the cell, and the cell may be all that is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from IPython.core.error import UsageError

NO_KEY = (
    "a key does not belong into a notebook: set OPENAI_API_KEY before Jupyter starts, or give it in Python, "
    "RLM(api_key=…), from where you keep it. What you typed is in this cell and in the history now: take it out, and "
    "have a new key made if somebody may have seen it"
)
NO_URL = (
    "the base URL is an address and nothing else, like https://host/v1: no name, no password, no query. A key goes into "
    "OPENAI_API_KEY before Jupyter starts"
)
_OPTION = re.compile(
    r"-{0,2}(?:open[-_]?ai[-_]?)?(?:api[-_]?)?(?:key|token|secret|passw(?:or)?d|auth(?:orization)?|credentials?)(?:=.*)?",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(
    r"api[-_]?key|\b(?:sk|pk|rk)-\w|\b(?:sk|pk|rk)_(?:live|test)_|\bgh[pousr]_\w|\bhf_\w{8}|\bAKIA\w{8}|\bBearer\b",
    re.IGNORECASE,
)


def refuse_keys(words: Iterable[str]) -> None:
    """Raises `UsageError` for a line that has a key in it, or a place for one."""
    for word in words:
        if (word.startswith("-") and _OPTION.fullmatch(word)) or _KEY.search(word):
            raise UsageError(NO_KEY)
        if "://" in word:
            check_url(word.partition("=")[2] if word.startswith("-") and "=" in word else word)


def check_url(url: str) -> None:
    """Raises `UsageError` for a server's URL that may hold a secret."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(NO_URL)


def check_settings(settings: Iterable[tuple[str, object]]) -> None:
    """Raises `UsageError` for settings of a notebook of which one is a key, or may hold one."""
    for name, value in settings:
        if _OPTION.fullmatch(name) or _KEY.search(name):
            raise UsageError(NO_KEY)
        if name == "base_url" and isinstance(value, str):
            check_url(value)


__all__ = ["NO_KEY", "NO_URL", "check_settings", "check_url", "refuse_keys"]
