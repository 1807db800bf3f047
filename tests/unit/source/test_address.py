"""Addresses: a credential never stays in what may be shown, stored or passed on a command line."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import SourceError, UserError
from slipway.source.address import parse_address, refuse_credentials

PLAIN = "https://git.example.com/team/app.git"


@pytest.mark.parametrize(
    ("repository", "location", "local"),
    [
        (PLAIN, PLAIN, False),
        ("https://git.example.com:8443/app", "https://git.example.com:8443/app", False),
        ("ssh://git@git.example.com:22/app", "ssh://git@git.example.com:22/app", False),
        ("git@git.example.com:team/app.git", "git@git.example.com:team/app.git", False),
        ("file:///srv/app.git", "file:///srv/app.git", False),
        (".", ".", True),
        ("/srv/app", "/srv/app", True),
        ("./odd:name", "./odd:name", True),
        ("  /srv/app\n", "/srv/app", True),
    ],
)
def test_address_without_credentials_stays_as_it_is(repository: str, location: str, local: bool) -> None:
    address = parse_address(repository)
    assert (address.location, address.local, address.settings, address.secrets) == (location, local, (), ())


def test_password_becomes_a_header_for_this_repository_only() -> None:
    address = parse_address("https://robot:pa%2Fss@git.example.com/team/app.git")
    basic = base64.b64encode(b"robot:pa/ss").decode()
    assert address.location == PLAIN
    assert address.settings == ((f"http.{PLAIN}.extraHeader", f"Authorization: Basic {basic}"),)
    assert set(address.secrets) == {"pa/ss", "pa%2Fss", basic}


def test_lone_token_is_a_secret_and_a_lone_user_name_is_not() -> None:
    token = "ghp_0123456789abcdefghij"
    assert token in parse_address(f"https://{token}@git.example.com/team/app.git").secrets
    assert token in parse_address(f"https://{token}:x-oauth-basic@git.example.com/team/app.git").secrets
    named = parse_address("https://alice@git.example.com/team/app.git")
    assert named.settings == (("credential.https://git.example.com.username", "alice"),)
    assert (named.location, named.secrets) == (PLAIN, ())


def test_ssh_keeps_its_user_and_loses_a_password() -> None:
    address = parse_address("ssh://git:secret@git.example.com/app")
    assert (address.location, address.secrets) == ("ssh://git@git.example.com/app", ("secret",))


def test_every_credential_leads_to_the_same_mirror() -> None:
    keys = {parse_address(f"https://{user}git.example.com/team/app.git").key for user in ("", "a:one@", "b:two@")}
    assert len(keys) == 1


@pytest.mark.parametrize("repository", ["", "   ", "-u", "--upload-pack=x", "https://u:p/w@host/x", "http://[::1/x"])
def test_what_is_no_address_is_refused_without_repeating_it(repository: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse_address(repository)
    assert "p/w" not in str(refused.value)


@given(user=st.text(min_size=1, max_size=30), password=st.text(min_size=4, max_size=60))
def test_no_password_is_shown(user: str, password: str) -> None:
    secret = f"zz{password}zz"
    address = parse_address(f"https://{quote(user, safe='')}:{quote(secret, safe='')}@h.example/r")
    assert address.location == "https://h.example/r"
    assert secret in address.secrets
    assert secret not in repr(address)
    assert quote(secret, safe="") not in repr(address)


@pytest.mark.parametrize(
    "repository", [f"https://ada:{'p' * 9}@git.example.com/a", f"https://{'t' * 24}@git.example.com/a"]
)
def test_an_address_with_a_secret_is_no_run_parameter(repository: str) -> None:
    with pytest.raises(UserError) as refused:
        refuse_credentials(repository)
    assert "git.example.com" not in str(refused.value)


@pytest.mark.parametrize(
    "repository", [PLAIN, "ssh://git@git.example.com/app", "git@git.example.com:a.git", ".", "/srv"]
)
def test_an_address_without_a_secret_is(repository: str) -> None:
    refuse_credentials(repository)
