from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway import redaction
from slipway.redaction import redact, remember_secret


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())


SECRETS = st.text(string.ascii_letters + string.digits + "+-_.%!$^", min_size=6, max_size=40)
NAMES = st.sampled_from(
    ["password", "PASSWD", "token", "GITHUB_TOKEN", "db-password", "secret", "api_key", "AWS_SECRET_ACCESS_KEY"]
)
SEPARATORS = st.sampled_from(["=", ": ", ":", " = ", '": "', "='"])
TEXT = st.text(max_size=60)


@given(secret=SECRETS, host=st.sampled_from(["example.com", "127.0.0.1:5050", "git.example.com/team"]), user=SECRETS)
def test_credentials_in_a_url_never_survive(secret: str, host: str, user: str) -> None:
    said = redact(f"fatal: unable to access 'https://{user}:{secret}@{host}/x.git'")
    assert said == f"fatal: unable to access 'https://***@{host}/x.git'"


@given(name=NAMES, separator=SEPARATORS, secret=SECRETS)
def test_the_value_of_a_key_that_names_a_secret_never_survives(name: str, separator: str, secret: str) -> None:
    assert redact(f"{name}{separator}{secret} next") == f"{name}{separator}*** next"


@given(before=TEXT, secret=SECRETS, after=TEXT)
def test_a_remembered_secret_never_survives(before: str, secret: str, after: str) -> None:
    redaction._known.clear()
    remember_secret(secret)
    assert secret not in redact(f"{before} {secret} {after}")


@given(start=SECRETS, rest=SECRETS)
def test_a_secret_that_begins_like_another_hides_neither_badly(start: str, rest: str) -> None:
    redaction._known.clear()
    remember_secret(start)
    remember_secret(start + rest)
    assert redact(f"saw {start + rest} here") == "saw *** here"


@given(text=TEXT)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "pulled docker://python@sha256:" + "0" * 64,
        "127.0.0.1:5050/mgeo@sha256:" + "0" * 64,
        "cloning git@example.com:team/mgeo.git",
        "https://example.com/a/b?x=1",
        "loading the tokenizer: fast",
        "12 tokens: enough",
        "see https://example.com and mail a@b",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("https://user:p@ss@example.com/x", "https://***@example.com/x"),
        ("postgresql://slipway:hunter2@db/ledger", "postgresql://***@db/ledger"),
        ("skopeo login --password hunter2 reg", "skopeo login --password *** reg"),
        ('{"token": "abc123", "user": "bob"}', '{"token": "***", "user": "bob"}'),
        ("password=a;user=b", "password=***;user=b"),
    ],
)
def test_known_shapes_of_secrets_are_hidden(said: str, shown: str) -> None:
    assert redact(said) == shown


def test_a_short_value_is_not_remembered() -> None:
    remember_secret("main")
    assert redact("on main") == "on main"
