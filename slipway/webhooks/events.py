"""What happened in a git repository, in one shape for every host."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

ZERO = "0" * 40
_EVENTS = UUID("5c4b8a52-0d3e-5f5e-9c0e-2f1b7a7f4d10")


class EventKind(StrEnum):
    """The value is the tail of the event's name in Prefect: `git.<kind>`."""

    PUSH = "push"
    TAG = "tag"
    TAG_DELETED = "tag.deleted"
    BRANCH_CREATED = "branch.created"
    BRANCH_DELETED = "branch.deleted"
    PULL_REQUEST = "pull_request"


class PullRequestAction(StrEnum):
    """What became of a pull or merge request; only what may change code is kept."""

    OPENED = "opened"
    UPDATED = "updated"
    REOPENED = "reopened"
    CLOSED = "closed"
    MERGED = "merged"


class PullRequest(BaseModel):
    """One pull (merge) request: branches by name, `from_fork` when its code comes from another repository."""

    model_config = ConfigDict(frozen=True)

    number: int
    action: PullRequestAction
    source_branch: str
    target_branch: str
    source_repository: str
    from_fork: bool


class GitEvent(BaseModel):
    """One thing that happened to one ref.

    `repository` is the full name on `host` ("acme/tools/mgeo"), `url` is what git can clone. `before` is "" where the
    host does not say, and all zeros for a new ref; `after` is all zeros for a deleted one. `forced` is None where the
    host does not say: only the history itself can tell.
    """

    model_config = ConfigDict(frozen=True)

    kind: EventKind
    host: str
    repository: str
    url: str
    ref: str
    before: str
    after: str
    forced: bool | None
    sender: str
    delivery_id: str
    pull_request: PullRequest | None = None

    @property
    def name(self) -> str:
        """The event's name in Prefect."""
        return f"git.{self.kind.value}"

    @property
    def resource_id(self) -> str:
        """The repository as a Prefect resource."""
        return f"slipway.repository.{self.host}/{self.repository}"

    @property
    def branch(self) -> str:
        """The branch's short name; a pull request's target branch; "" for tags."""
        if self.pull_request:
            return self.pull_request.target_branch
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else ""

    @property
    def tag(self) -> str:
        """The tag's short name; "" for everything else."""
        return self.ref.removeprefix("refs/tags/") if self.ref.startswith("refs/tags/") else ""

    @property
    def position(self) -> str:
        """Where the ref stands after this event; the same position twice in a row is the same event told twice."""
        return f"{self.after}:{self.pull_request.action}" if self.pull_request else self.after

    @property
    def identity(self) -> str:
        """Repository, revision, ref and kind: what makes two tellings the same event."""
        return "\n".join((self.host, self.repository, self.position, self.ref, self.kind.value))


def is_zero(revision: str) -> bool:
    """Whether a host's "no such commit" (SHA-1 or SHA-256 long) is meant."""
    return bool(revision) and not revision.strip("0")


def event_id(event: GitEvent, occurrence: int = 0) -> UUID:
    """The same event always gets the same id, so a resend doubles nothing.

    `occurrence` counts the times a ref came *back* to a revision: a branch forced back to an older commit is news.
    """
    tail = f"\n{occurrence}" if occurrence else ""
    return uuid5(_EVENTS, event.identity + tail)


def next_occurrence(event: GitEvent, *, told: int, standing: str) -> int | None:
    """Which occurrence this telling is, or None when it is old news.

    `told` counts the occurrences already recorded, `standing` is the ref's last recorded position. A ref that came back
    starts where the ledger last saw it; a late telling of an old event does not.
    """
    if not told:
        return 0
    moved = event.position != standing
    follows = event.pull_request is not None or event.before in ("", standing)
    return told if moved and follows else None


def labels(event: GitEvent) -> dict[str, str]:
    """The resource labels; Prefect's triggers match labels, never payloads."""
    named = {
        "prefect.resource.id": event.resource_id,
        "prefect.resource.name": event.repository,
        "slipway.host": event.host,
        "slipway.ref": event.ref,
        "slipway.branch": event.branch,
        "slipway.tag": event.tag,
    }
    if event.pull_request:
        named["slipway.pull_request.action"] = event.pull_request.action.value
        named["slipway.pull_request.from_fork"] = str(event.pull_request.from_fork).lower()
    return {key: value for key, value in named.items() if value}


def payload(event: GitEvent) -> dict[str, Any]:
    """What a deployment's parameters are templated from."""
    return {
        "repository": event.url,
        "repository_name": event.repository,
        "host": event.host,
        "ref": event.ref,
        "branch": event.branch,
        "tag": event.tag,
        "before": event.before,
        "after": event.after,
        "forced": event.forced,
        "sender": event.sender,
        "delivery_id": event.delivery_id,
        "pull_request": event.pull_request.model_dump(mode="json") if event.pull_request else None,
    }


def body_digest(body: bytes) -> str:
    """SHA-256 of the delivered bytes, in hex."""
    return hashlib.sha256(body).hexdigest()
