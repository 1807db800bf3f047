"""Each host is told in its own words, and its refusals are told in ours."""

from __future__ import annotations

import json

import httpx
import pytest

from slipway.errors import PermanentError, TemporaryError, UserError
from slipway.hosts.client import set_status
from slipway.hosts.status import Account, CommitStatus, StatusState, status_request
from slipway.webhooks.signatures import HostKind

REVISION = "b" * 40
TOKEN = "token-for-tests"
FAILED = CommitStatus(StatusState.FAILURE, "slipway/ship", "gate model: F1 0.71 < 0.80", "https://prefect/runs/1")


@pytest.mark.parametrize(
    ("account", "repository", "url", "header", "state"),
    [
        (
            Account(HostKind.GITHUB, TOKEN),
            "acme/mgeo",
            f"https://api.github.com/repos/acme/mgeo/statuses/{REVISION}",
            ("Authorization", f"Bearer {TOKEN}"),
            "failure",
        ),
        (
            Account(HostKind.GITEA, TOKEN, "https://git.example.com/api/v1/"),
            "acme/mgeo",
            f"https://git.example.com/api/v1/repos/acme/mgeo/statuses/{REVISION}",
            ("Authorization", f"token {TOKEN}"),
            "failure",
        ),
        (
            Account(HostKind.GITLAB, TOKEN, "https://gitlab.example.com/api/v4"),
            "acme/geo/mgeo",
            f"https://gitlab.example.com/api/v4/projects/acme%2Fgeo%2Fmgeo/statuses/{REVISION}",
            ("PRIVATE-TOKEN", TOKEN),
            "failed",
        ),
        (
            Account(HostKind.BITBUCKET, TOKEN),
            "acme/mgeo",
            f"https://api.bitbucket.org/2.0/repositories/acme/mgeo/commit/{REVISION}/statuses/build",
            ("Authorization", f"Bearer {TOKEN}"),
            "FAILED",
        ),
        (
            Account(HostKind.BITBUCKET, TOKEN, "https://bitbucket.example.com/rest"),
            "GEO/mgeo",
            f"https://bitbucket.example.com/rest/api/latest/projects/GEO/repos/mgeo/commits/{REVISION}/builds",
            ("Authorization", f"Bearer {TOKEN}"),
            "FAILED",
        ),
    ],
)
def test_each_host_is_told_in_its_own_words(
    account: Account, repository: str, url: str, header: tuple[str, str], state: str
) -> None:
    request = status_request(account, repository, REVISION, FAILED)
    assert request.url == url
    assert request.headers[header[0]] == header[1]
    assert request.content["state"] == state
    assert request.content["description"] == FAILED.description
    assert FAILED.url in request.content.values()
    assert "slipway/ship" in request.content.values()


@pytest.mark.parametrize("kind", [HostKind.CODEUP, HostKind.GITEE, HostKind.GENERIC, HostKind.GITEA])
def test_a_host_without_statuses_or_address_is_told_plainly(kind: HostKind) -> None:
    with pytest.raises(UserError, match=kind.value):
        status_request(Account(kind, TOKEN), "acme/mgeo", REVISION, FAILED)


def test_a_long_description_is_cut_to_what_the_host_takes() -> None:
    long = CommitStatus(StatusState.SUCCESS, "c" * 60, "d" * 500, "https://prefect/runs/1")
    assert len(status_request(Account(HostKind.GITHUB, TOKEN), "a/b", REVISION, long).content["description"]) == 140
    assert len(status_request(Account(HostKind.BITBUCKET, TOKEN), "a/b", REVISION, long).content["key"]) == 40


def test_no_token_is_shown_by_a_value() -> None:
    account = Account(HostKind.GITHUB, TOKEN)
    assert TOKEN not in repr(account)
    assert TOKEN not in repr(status_request(account, "a/b", REVISION, FAILED))


def answer_with(status: int, text: str = "", headers: dict[str, str] | None = None) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, text=text, headers=headers))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_host_in_trouble_is_temporary(status: int) -> None:
    with pytest.raises(TemporaryError):
        set_status(Account(HostKind.GITHUB, TOKEN), "a/b", REVISION, FAILED, transport=answer_with(status))


def test_an_exhausted_rate_limit_is_temporary() -> None:
    limited = answer_with(403, headers={"x-ratelimit-remaining": "0"})
    with pytest.raises(TemporaryError):
        set_status(Account(HostKind.GITHUB, TOKEN), "a/b", REVISION, FAILED, transport=limited)


@pytest.mark.parametrize(("status", "hint"), [(401, "expired"), (403, "repo:status"), (404, "repository"), (422, "")])
def test_a_refusal_says_what_to_do_and_never_the_token(status: int, hint: str) -> None:
    with pytest.raises(PermanentError, match=str(status)) as told:
        set_status(
            Account(HostKind.GITHUB, TOKEN), "a/b", REVISION, FAILED, transport=answer_with(status, f"bad {TOKEN}")
        )
    assert hint in told.value.next_step
    assert TOKEN not in str(told.value)


def test_a_host_that_is_away_is_temporary() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(TemporaryError, match="ConnectError"):
        set_status(Account(HostKind.GITHUB, TOKEN), "a/b", REVISION, FAILED, transport=httpx.MockTransport(away))


def test_gitlabs_refusal_to_repeat_a_state_is_fine() -> None:
    text = json.dumps({"message": "Cannot transition status via :run from :running (Reason(s): ...)"})
    set_status(Account(HostKind.GITLAB, TOKEN), "a/b", REVISION, FAILED, transport=answer_with(400, text))


def test_a_success_is_one_request_with_the_status_in_it() -> None:
    seen: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={})

    set_status(Account(HostKind.GITHUB, TOKEN), "a/b", REVISION, FAILED, transport=httpx.MockTransport(take))
    (request,) = seen
    assert (request.method, json.loads(request.content)["context"]) == ("POST", "slipway/ship")
