"""Secrets taken out of texts, as the last line of defence: keys live in the parent's client and belong nowhere else.

What it cannot catch: a secret that is written another way than as it is, in JSON, or in a URL: in base64 or hex,
reversed, cut into pieces, spelt letter by letter. That is why no secret is where model code runs in the first place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

REDACTED = "[redacted]"
MIN_CHARS = 8
T = TypeVar("T")

_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL", re.IGNORECASE)
_WORD_CHARS = 16
# What people set where a server wants a key and does not look at it: these stand in many a text.
_PLACEHOLDERS = frozenset(
    ("sk-no-key-required", "no-api-key-required", "your-api-key-here", "<your-api-key>", "your_api_key_here")
)
_WORD = re.compile(r"[A-Z]?[a-z]+(?:[-_ .][A-Z]?[a-z]+)*|[A-Z]+(?:[-_ .][A-Z]+)*")
_PATH = re.compile(r"(?:[A-Za-z]:\\|~?/)[\w.@~+ /\\-]*")
_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+]{0,20}://)[^/\s:@]{0,200}:([^/\s@]{1,500})@")

# Keys as their issuers write them. None begins inside a word, so that no text makes the search slow.
_KEYS = re.compile(
    r"""
      -----BEGIN\ [A-Z0-9 ]{0,40}PRIVATE\ KEY-----(?:[^-]|-(?!----)){0,20000}(?:-----END\ [A-Z0-9 ]{0,40}-----)?
    | (?<![A-Za-z0-9_-])(?:
        (?:sk|pk|rk)-[A-Za-z0-9_-]{16,}              # OpenAI, Anthropic and those who follow them
      | (?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}  # Stripe
      | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,}
      | (?:hf|gsk|r8)_[A-Za-z0-9]{20,} | xai-[A-Za-z0-9]{20,} | nvapi-[A-Za-z0-9_-]{20,}
      | pypi-[A-Za-z0-9_-]{40,} | npm_[A-Za-z0-9]{30,}
      | AIza[A-Za-z0-9_-]{30,} | ya29\.[A-Za-z0-9_-]{20,}
      | (?:AKIA|ASIA)[A-Z0-9]{16}\b
      | xox[abeoprs]-[A-Za-z0-9-]{10,}
      | eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}   # a JSON web token
      )
    """,
    re.VERBOSE,
)
_SCHEMES = re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_NAMED = re.compile(
    r"""((?:api[-_ ]?key|x-api-key|access[-_]?token|authorization|client[-_]?secret|password)["']?\s{0,3}[:=]\s{0,3}["']?)"""
    r"""(?!(?:Bearer|Basic)\b)[^\s"',;&\[]{6,}""",
    re.IGNORECASE,
)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without those exact values."""
    return Redactor(secrets).text(text)


def redact_keys(text: str) -> str:
    """The text without whatever looks like a key, a token or a password: for what comes from outside, as a server's
    error message, in which a secret may be one that we do not know."""
    text = _KEYS.sub(REDACTED, text)
    text = _SCHEMES.sub(rf"\g<1>{REDACTED}", text)
    text = _URL.sub(rf"\g<1>{REDACTED}@", text)
    return _NAMED.sub(rf"\g<1>{REDACTED}", text)


def environment_secrets(environment: Mapping[str, str]) -> set[str]:
    """The values of those variables whose names say that they hold a secret, but for values that cannot be one: words,
    numbers, paths. The password in the URL of a database is one too."""
    found = {value for name, value in environment.items() if _NAMES.search(name) and is_secret(value)}
    for value in environment.values():
        if "://" in value:
            found |= {password for _, password in _URL.findall(value) if is_secret(password)}
    return found


def is_secret(value: str) -> bool:
    """Whether a value can be a secret: taking out a common word would spoil every text that has it."""
    value = value.strip()
    if len(value) < MIN_CHARS or len(set(value)) < 4 or value.lower() in _PLACEHOLDERS:
        return False
    if value.isdigit():
        return len(value) >= _WORD_CHARS
    if _WORD.fullmatch(value):
        return len(value) >= _WORD_CHARS
    return not _PATH.fullmatch(value)


class Redactor:
    """Takes known secrets out of texts and of values made of texts. Costs next to nothing where there is none."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {secret.strip() for secret in secrets if is_secret(secret)}
        forms = {form for value in values for form in _forms(value)}
        # The longest first: a secret may be the beginning of another.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._shortest = min(map(len, self._forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._forms)} texts>"

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, REDACTED)
        return text

    def clean(self, value: T) -> T:
        """The value, or one of the same type without the secrets: texts, lists, tuples and dicts of such, and frozen
        dataclasses of such. Whatever else is in it stays as it is."""
        if not self._forms:
            return value
        cleaned: T = self._cleaned(value)
        return cleaned

    def _cleaned(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value) if len(value) >= self._shortest else value
        if kind is int or kind is float or value is None or kind is bool:
            return value
        if kind is tuple or kind is list:
            return self._items(value)
        if kind is dict:
            return self._pairs(value)
        return self._fields(value) if hasattr(kind, "__dataclass_fields__") else value

    def _items(self, items: Any) -> Any:
        cleaned = [self._cleaned(item) for item in items]
        if all(map(_same, cleaned, items)):
            return items
        return type(items)(cleaned)

    def _pairs(self, pairs: dict[Any, Any]) -> dict[Any, Any]:
        cleaned = {self._cleaned(key): self._cleaned(item) for key, item in pairs.items()}
        same = len(cleaned) == len(pairs) and all(map(_same, cleaned, pairs))
        return pairs if same and all(map(_same, cleaned.values(), pairs.values())) else cleaned

    def _fields(self, value: Any) -> Any:
        # What `dataclasses.replace` gives, without its checks: this is done for every event.
        items, shortest, changed = value.__dict__, self._shortest, {}
        for name, item in items.items():
            if type(item) is str:
                if len(item) < shortest:
                    continue
                cleaned = self.text(item)
            else:
                cleaned = self._cleaned(item)
            if cleaned is not item:
                changed[name] = cleaned
        if not changed:
            return value
        copy = object.__new__(type(value))
        copy.__dict__.update(items, **changed)
        return copy


def _same(one: object, other: object) -> bool:
    return one is other


def _forms(secret: str) -> set[str]:
    """How a secret is written in texts: as it is, in JSON or Python, in a URL."""
    escaped = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    return {secret, *escaped, quote(secret, safe=""), quote(secret)}


__all__ = [
    "MIN_CHARS",
    "REDACTED",
    "Redactor",
    "environment_secrets",
    "is_secret",
    "redact",
    "redact_keys",
]
