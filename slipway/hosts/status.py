"""A commit status as each host wants it. Pure: values in, one HTTP request out.

Shapes: docs.github.com "Commit statuses"; docs.gitlab.com "Commits API: set commit pipeline status"; Gitea's swagger
(`repoCreateStatus`); developer.atlassian.com "Commit statuses" (Cloud) and "Build status" (Data Center).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from slipway.errors import UserError
from slipway.webhooks.signatures import HostKind

DEFAULT_APIS = {
    HostKind.GITHUB: "https://api.github.com",
    HostKind.GITLAB: "https://gitlab.com/api/v4",
    HostKind.BITBUCKET: "https://api.bitbucket.org/2.0",
}


class StatusState(StrEnum):
    """What is known of a revision."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class CommitStatus:
    """One line beside a commit. `context` keeps several pipelines apart; `url` leads to the run."""

    state: StatusState
    context: str
    description: str
    url: str


@dataclass(frozen=True)
class Account:
    """Where to tell it and as whom. `api` is the API's root; "" for the public host's."""

    kind: HostKind
    token: str = field(repr=False)
    api: str = ""


@dataclass(frozen=True)
class StatusRequest:
    """One POST. `headers` hold the token: never log them."""

    url: str
    headers: dict[str, str] = field(repr=False)
    content: dict[str, Any]


_GITLAB_STATES = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
}
_BITBUCKET_STATES = {
    StatusState.PENDING: "INPROGRESS",
    StatusState.SUCCESS: "SUCCESSFUL",
    StatusState.FAILURE: "FAILED",
}


def status_request(account: Account, repository: str, revision: str, status: CommitStatus) -> StatusRequest:
    """The request that sets `status` on `revision` of `repository`. Raises `UserError` for a host without statuses."""
    makers = {
        HostKind.GITHUB: _github,
        HostKind.GITEA: _gitea,
        HostKind.GITLAB: _gitlab,
        HostKind.BITBUCKET: _bitbucket,
    }
    api = (account.api or DEFAULT_APIS.get(account.kind, "")).rstrip("/")
    if account.kind not in makers or not api:
        raise UserError(
            f"no commit status can be set on {account.kind.value}",
            next_step="statuses are for github, gitlab, bitbucket and gitea (which needs the address of its API)",
        )
    return makers[account.kind](api, account.token, repository, revision, status)


def _github(api: str, token: str, repository: str, revision: str, status: CommitStatus) -> StatusRequest:
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return StatusRequest(f"{api}/repos/{quote(repository)}/statuses/{revision}", headers, _hub_content(status))


def _gitea(api: str, token: str, repository: str, revision: str, status: CommitStatus) -> StatusRequest:
    headers = {"Authorization": f"token {token}"}
    return StatusRequest(f"{api}/repos/{quote(repository)}/statuses/{revision}", headers, _hub_content(status))


def _hub_content(status: CommitStatus) -> dict[str, Any]:
    return {
        "state": status.state.value,
        "context": status.context,
        "description": _short(status.description, 140),
        "target_url": status.url,
    }


def _gitlab(api: str, token: str, repository: str, revision: str, status: CommitStatus) -> StatusRequest:
    content = {
        "state": _GITLAB_STATES[status.state],
        "name": status.context,
        "description": _short(status.description, 255),
        "target_url": status.url,
    }
    url = f"{api}/projects/{quote(repository, safe='')}/statuses/{revision}"
    return StatusRequest(url, {"PRIVATE-TOKEN": token}, content)


def _bitbucket(api: str, token: str, repository: str, revision: str, status: CommitStatus) -> StatusRequest:
    """Cloud, or Data Center when the API's address says so (.../rest)."""
    content = {
        "key": _short(status.context, 40),
        "state": _BITBUCKET_STATES[status.state],
        "name": status.context,
        "description": _short(status.description, 255),
        "url": status.url,
    }
    owner, _, name = repository.partition("/")
    if api.endswith("/rest"):
        url = f"{api}/api/latest/projects/{quote(owner)}/repos/{quote(name)}/commits/{revision}/builds"
    else:
        url = f"{api}/repositories/{quote(owner)}/{quote(name)}/commit/{revision}/statuses/build"
    return StatusRequest(url, {"Authorization": f"Bearer {token}"}, content)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
