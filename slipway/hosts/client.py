"""Sets commit statuses over HTTP. One try with its own deadline; the task that calls it owns the retries."""

from __future__ import annotations

import httpx

from slipway.errors import PermanentError, TemporaryError
from slipway.hosts.status import Account, CommitStatus, StatusRequest, status_request
from slipway.redaction import redact, remember_secret
from slipway.webhooks.signatures import HostKind

DEADLINE_S = 10.0
_SCOPES = {
    HostKind.GITHUB: "`repo:status` (classic) or commit statuses: write (fine-grained)",
    HostKind.GITLAB: "`api`, with the Developer role or above",
    HostKind.GITEA: "`write:repository`",
    HostKind.BITBUCKET: "`repository:write`",
}


def set_status(
    account: Account,
    repository: str,
    revision: str,
    status: CommitStatus,
    *,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Set `status` on `revision`; setting the same one twice is fine.

    Raises `TemporaryError` when the host is away, busy or broken, and `PermanentError` when it says no.
    """
    remember_secret(account.token)
    request = status_request(account, repository, revision, status)
    subject = f"{repository}@{revision[:12]} on {account.kind.value}"
    try:
        with httpx.Client(timeout=DEADLINE_S, transport=transport) as client:
            answer = client.post(request.url, headers=request.headers, json=request.content)
    except httpx.TransportError as away:
        raise TemporaryError(
            f"the git host cannot be reached: {type(away).__name__}",
            subject=subject,
            next_step="nothing; it is retried",
        ) from away
    if not answer.is_success and not _already_so(account.kind, answer):
        raise _refusal(account, request, answer, subject)


def _already_so(kind: HostKind, answer: httpx.Response) -> bool:
    """GitLab refuses to move a status to the state it has."""
    return kind is HostKind.GITLAB and answer.status_code == 400 and "Cannot transition status" in answer.text


def _refusal(
    account: Account, request: StatusRequest, answer: httpx.Response, subject: str
) -> TemporaryError | PermanentError:
    what = f"the git host answered {answer.status_code} to a commit status"
    tail = redact(answer.text[:300])
    limited = answer.status_code == 403 and answer.headers.get("x-ratelimit-remaining") == "0"
    if answer.status_code in (408, 429) or answer.status_code >= 500 or limited:
        return TemporaryError(what, subject=subject, tail=tail, next_step="nothing; it is retried")
    hints = {
        401: "the token is wrong or has expired: make a new one",
        403: f"the token needs {_SCOPES[account.kind]}",
        404: f"check repository and revision; a token that may not see them gets 404, too ({request.url})",
    }
    return PermanentError(
        what, subject=subject, tail=tail, next_step=hints.get(answer.status_code, "read the answer above")
    )
