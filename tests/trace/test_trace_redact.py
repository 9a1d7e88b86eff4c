"""Redaction: known secrets are taken out of whatever is recorded, and what looks like a key out of foreign texts."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from trace_examples import STORIES, nested
from trace_strategies import EVENT

from rlm_kernel.trace import Event, RichOutput, RunStarted, to_dict
from rlm_kernel.trace.redact import (
    REDACTED,
    Redactor,
    environment_secrets,
    is_secret,
    redact,
    redact_keys,
)

KEY = "sk-canary-7Q2mZ81xT0"
ODD = 'p"a\\ss/wörd&1'


def test_a_known_secret_is_taken_out_wherever_it_stands() -> None:
    assert redact(f"key={KEY}; again {KEY}{KEY}", [KEY]) == f"key={REDACTED}; again {REDACTED}{REDACTED}"
    assert redact("nothing here", [KEY]) == "nothing here"


@pytest.mark.parametrize(
    "text",
    [
        ODD,
        json.dumps({"a": ODD}),
        repr(ODD),
        "http://u:p%22a%5Css%2Fw%C3%B6rd%261@h/",
        "p%22a%5Css/w%C3%B6rd%261",
    ],
)
def test_a_secret_with_odd_characters_is_found_as_json_and_urls_write_it(text: str) -> None:
    cleaned = redact(text, [ODD])
    assert REDACTED in cleaned
    assert "ss" not in cleaned


def test_a_secret_that_begins_another_one_leaves_nothing_of_it() -> None:
    assert redact(f"{KEY}-longer", [KEY, f"{KEY}-longer"]) == REDACTED


def test_what_it_cannot_catch() -> None:
    for told in (base64.b64encode(KEY.encode()).decode(), KEY[::-1], " ".join(KEY)):
        assert redact(told, [KEY]) == told


NOT_SECRET = [
    "", "short", "EMPTY", "none", "xxxxxxxxxxxx", "lm-studio", "not-needed", "changeme", "Password", "disabled",
    "12345678", "/usr/share/keyrings/x", "~/.ssh/id_ed25519", "C:\\Users\\me\\key", "sk-no-key-required",
]  # fmt: skip
SECRET = [
    KEY,
    ODD,
    "hunter2hunter2",
    "correct-horse-battery-staple",
    "Tr0ub4dor&3",
    "d41d8cd98f00b204e9800998",
]


@pytest.mark.parametrize("value", NOT_SECRET)
def test_a_word_a_number_or_a_path_is_no_secret(value: str) -> None:
    assert not is_secret(value)
    assert redact(f"text with {value} in it", [value]) == f"text with {value} in it"


@pytest.mark.parametrize("value", SECRET)
def test_what_is_long_and_odd_enough_is_one(value: str) -> None:
    assert is_secret(value)
    assert value not in redact(f"text with {value} in it", [value])


def test_the_environment_says_by_its_names_what_is_secret() -> None:
    environment = {
        "OPENAI_API_KEY": KEY,
        "GITHUB_TOKEN": "ghp_abcdef0123456789",
        "db_password": "hunter2hunter2",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
        "DATABASE_URL": "postgres://me:s3cretw0rd@db/x",
        "TOKENIZERS_PARALLELISM": "false",
        "KEYBOARD": "de-latin1",
        "GNOME_KEYRING_CONTROL": "/run/user/1000/keyring",
        "HOME": "/home/me-1234567",
        "EDITOR": "vim-9.1-nightly",
    }
    found = environment_secrets(environment)
    assert found == {
        KEY,
        "ghp_abcdef0123456789",
        "hunter2hunter2",
        "wJalrXUtnFEMI/K7MDENG",
        "s3cretw0rd",
        "de-latin1",
    }


KEYS = {
    "openai": "sk-proj-AbCdEf0123456789_xyz-1",
    "anthropic": "sk-ant-api03-AbCdEf0123456789",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": "ghp_0123456789abcdefABCDEF0123456789abcd",
    "hugging face": "hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "google": "AIzaSyA-0123456789abcdefghijklmnopqrs",
    "slack": "xoxb-1234567890-abcdef",
    "web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc+/=\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_what_looks_like_a_key_is_taken_out_of_a_foreign_text(key: str) -> None:
    found = redact_keys(f"Incorrect API key provided: {key} (see the site)")
    assert found == f"Incorrect API key provided: {REDACTED} (see the site)"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: Bearer abcdef012345", f"Authorization: Bearer {REDACTED}"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', f'{{"authorization": "Basic {REDACTED}"}}'),
        ('{"api_key": "0123456789"}', f'{{"api_key": "{REDACTED}"}}'),
        ("x-api-key: 0123456789abc", f"x-api-key: {REDACTED}"),
        ("see https://me:hunter22@host/v1", f"see https://{REDACTED}@host/v1"),
        ("?key=1&password=hunter22&x=2", f"?key=1&password={REDACTED}&x=2"),
    ],
)
def test_a_named_secret_is_taken_out_and_its_name_stays(text: str, cleaned: str) -> None:
    assert redact_keys(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "the model small is not there",
        "risk-averse and task-oriented",
        "tokens per minute: 30000",
        "a bearer bond",
    ],
)
def test_a_plain_text_stays(text: str) -> None:
    assert redact_keys(text) == text


@pytest.mark.parametrize("text", ["sk-" * 30_000, "-----BEGIN PRIVATE KEY-----" * 3_000, "eyJ" + "a." * 50_000,
                                  "Bearer " * 20_000, "a://" * 30_000, "eyJ-" * 25_000, "sk-" + "a.sk-" * 20_000, "password=" * 10_000, "k:" * 50_000])  # fmt: skip
def test_no_text_makes_it_slow(text: str) -> None:
    started = time.perf_counter()
    redact_keys(text)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize("name", STORIES)
def test_an_event_without_a_secret_is_the_same_event(name: str) -> None:
    redactor = Redactor([KEY])
    for event in STORIES[name](None).events:
        assert redactor.clean(event) is event


@given(event=EVENT)
def test_no_field_of_an_event_keeps_a_secret(event: Event) -> None:
    def spoilt(data: object) -> object:
        if isinstance(data, str):
            return f"{data} {KEY}"
        if isinstance(data, list | tuple):
            return type(data)(map(spoilt, data))
        if isinstance(data, dict):
            return {f"{key}{KEY}": spoilt(item) for key, item in data.items()}
        if hasattr(data, "__dataclass_fields__"):
            # An event may hold anything where it holds a text: this is about its fields, not about their meaning.
            copy = object.__new__(type(data))
            copy.__dict__.update({name: spoilt(item) for name, item in vars(data).items()})
            return copy
        return data

    dirty = spoilt(event)
    assert isinstance(dirty, Event)
    cleaned = Redactor([KEY]).clean(dirty)
    assert type(cleaned) is type(event)
    assert KEY not in json.dumps(to_dict(cleaned))
    assert KEY in json.dumps(to_dict(dirty))


def test_keys_of_settings_and_outputs_are_cleaned_too() -> None:
    redactor = Redactor([KEY])
    start = nested().events[0]
    assert isinstance(start, RunStarted)
    start = redactor.clean(replace(start, settings={"stop": [KEY, {KEY: 1}]}))
    assert start.settings == {"stop": [REDACTED, {REDACTED: 1}]}
    assert redactor.clean(RichOutput(data={"text/plain": f"<{KEY}>"})).data == {"text/plain": f"<{REDACTED}>"}


def test_nothing_known_is_nothing_to_do() -> None:
    assert not Redactor()
    assert not Redactor(["none", ""])
    assert Redactor([KEY])
    value = {KEY: KEY}
    assert Redactor().clean(value) is value


def test_a_redactor_does_not_tell() -> None:
    redactor = Redactor([KEY])
    assert KEY not in repr(redactor) + str(redactor)
