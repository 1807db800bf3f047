"""GitHub, and Gitea/Forgejo, which speak GitHub's dialect with small differences.

Shapes: docs.github.com "Webhook events and payloads" (push, pull_request, ping, create, delete);
docs.gitea.com "Webhooks".
"""

from __future__ import annotations

from slipway.webhooks import shapes
from slipway.webhooks.events import ZERO, EventKind, GitEvent, PullRequestAction
from slipway.webhooks.shapes import Json, Malformed, NotOurs
from slipway.webhooks.telling import Teller

_ACTIONS = {
    "opened": PullRequestAction.OPENED,
    "synchronize": PullRequestAction.UPDATED,
    "synchronized": PullRequestAction.UPDATED,
    "reopened": PullRequestAction.REOPENED,
    "closed": PullRequestAction.CLOSED,
}


def repository_of(body: Json) -> str:
    """The repository a delivery speaks of; "" for a ping from an organisation's webhook."""
    name = shapes.optional_text(body, "repository.full_name")
    return shapes.repository(name) if name else ""


def parse(body: Json, *, event: str, host: str, delivery_id: str) -> list[GitEvent]:
    """`event` is X-GitHub-Event or X-Gitea-Event."""
    if event == "ping":
        raise NotOurs("ping")
    if event == "push":
        return [_push(body, host, delivery_id)]
    if event == "delete":
        return [_delete(body, host, delivery_id)]
    if event in ("pull_request", "pull_request_sync"):
        return [_pull_request(body, host, delivery_id)]
    if event == "create":
        raise NotOurs("create: the push delivery says the same, and names the revision")
    raise NotOurs(f"event {event[:60]!r} moves no code")


def _push(body: Json, host: str, delivery_id: str) -> GitEvent:
    name = shapes.ref(shapes.text(body, "ref"))
    before, after = shapes.revision(body, "before"), shapes.revision(body, "after")
    if shapes.kind_of(name, before, after) is EventKind.TAG:
        # An annotated tag's `after` is the tag object; the head commit is what it stands for.
        after = shapes.optional_revision(body, "head_commit.id") or after
    teller = _teller(body, host, delivery_id, "sender.login", "pusher.login", "pusher.name")
    return teller.moved(name, before, after, shapes.flag(body, "forced"))


def _delete(body: Json, host: str, delivery_id: str) -> GitEvent:
    """Gitea tells of a deleted branch only here; GitHub tells it twice, and both tellings are one event."""
    kinds = {"branch": ("refs/heads/", EventKind.BRANCH_DELETED), "tag": ("refs/tags/", EventKind.TAG_DELETED)}
    if (ref_type := shapes.text(body, "ref_type")) not in kinds:
        raise NotOurs("neither a branch nor a tag")
    prefix, kind = kinds[ref_type]
    name = shapes.ref(prefix + shapes.text(body, "ref").removeprefix(prefix))
    return _teller(body, host, delivery_id, "sender.login").moved(name, "", ZERO, kind=kind)


def _pull_request(body: Json, host: str, delivery_id: str) -> GitEvent:
    action = _ACTIONS.get(shapes.text(body, "action"))
    if action is None:
        raise NotOurs("this pull request action changes no code")
    pull = shapes.member(body, "pull_request")
    if action is PullRequestAction.CLOSED and shapes.flag(pull, "merged"):
        action = PullRequestAction.MERGED
    if not repository_of(body):
        raise Malformed("`repository.full_name` is missing")
    teller = _teller(body, host, delivery_id, "sender.login")
    source = shapes.optional_text(pull, "head.repo.full_name")  # null once the fork is deleted
    count = shapes.number(pull, "number") if "number" in pull else shapes.number(body, "number")
    request = teller.request(count, action, source, (shapes.text(pull, "head.ref"), shapes.text(pull, "base.ref")))
    before, after = shapes.optional_revision(body, "before"), shapes.revision(pull, "head.sha")
    return teller.requested(request, f"refs/pull/{count}/head", before, after)


def _teller(body: Json, host: str, delivery_id: str, *people: str) -> Teller:
    return Teller.of(body, host, delivery_id, repository_of(body), ("repository.clone_url", "repository.url"), people)
