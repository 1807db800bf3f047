"""Bitbucket Cloud and Bitbucket Data Center. One delivery may move many refs.

Shapes: support.atlassian.com "Event payloads" (repo:push, pullrequest:*);
confluence.atlassian.com "Event payload" of Data Center (repo:refs_changed, pr:*, diagnostics:ping).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from slipway.webhooks import shapes
from slipway.webhooks.events import ZERO, GitEvent, PullRequestAction
from slipway.webhooks.shapes import Json, Malformed, NotOurs
from slipway.webhooks.telling import Teller

_ACTIONS = {
    "pullrequest:created": PullRequestAction.OPENED,
    "pullrequest:updated": PullRequestAction.UPDATED,
    "pullrequest:fulfilled": PullRequestAction.MERGED,
    "pullrequest:rejected": PullRequestAction.CLOSED,
    "pr:opened": PullRequestAction.OPENED,
    "pr:from_ref_updated": PullRequestAction.UPDATED,
    "pr:merged": PullRequestAction.MERGED,
    "pr:declined": PullRequestAction.CLOSED,
}
_PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/"}


def repository_of(body: Json) -> str:
    """The repository a delivery speaks of; "" for Data Center's test ping."""
    found = body.get("repository")
    if found is None and "pullRequest" in body:
        found = shapes.member(body, "pullRequest.toRef.repository")
    return _full_name(found) if isinstance(found, dict) else ""


def parse(body: Json, *, event: str, host: str, delivery_id: str) -> list[GitEvent]:
    """`event` is X-Event-Key."""
    if event == "diagnostics:ping":
        raise NotOurs("ping")
    if event == "repo:push":
        return _each(_cloud_push, body, shapes.listing(body, "push.changes"), host, delivery_id)
    if event == "repo:refs_changed":
        return _each(_server_push, body, shapes.listing(body, "changes"), host, delivery_id)
    if event in _ACTIONS and event.startswith("pullrequest:"):
        return [_cloud_pull_request(body, _ACTIONS[event], host, delivery_id)]
    if event in _ACTIONS:
        return [_server_pull_request(body, _ACTIONS[event], host, delivery_id)]
    raise NotOurs(f"event {event[:60]!r} moves no code")


def _each(
    read: Callable[[Json, Json, str, str], GitEvent], body: Json, changes: list[Json], host: str, delivery_id: str
) -> list[GitEvent]:
    """One event for each ref that is a branch or a tag; the others must not cost us these."""
    if not changes:
        raise Malformed("the list of changes is missing or empty")
    events = []
    for change in changes:
        with suppress(NotOurs):
            events.append(read(body, change, host, delivery_id))
    if not events:
        raise NotOurs("neither a branch nor a tag")
    return events


def _full_name(found: Json) -> str:
    if shapes.optional_text(found, "full_name"):
        return shapes.repository(shapes.text(found, "full_name"))
    return shapes.repository(f"{shapes.text(found, 'project.key')}/{shapes.text(found, 'slug')}")


def _url(found: Json) -> str:
    """Data Center lists clone URLs; Cloud only links to the page, which is also the clone URL."""
    links = shapes.listing(found, "links.clone")
    https = [link for link in links if shapes.text(link, "name") in ("http", "https")]
    if https or links:
        return shapes.clone_url(shapes.text((https or links)[0], "href"))
    if shapes.optional_text(found, "links.html.href"):
        return shapes.clone_url(shapes.text(found, "links.html.href"))
    return shapes.clone_url(shapes.text(found, "links.self.href")) if not shapes.listing(found, "links.self") else ""


def _cloud_push(body: Json, change: Json, host: str, delivery_id: str) -> GitEvent:
    side = change.get("new") or change.get("old")
    if not isinstance(side, dict):
        raise Malformed("`push.changes` has a change with neither `new` nor `old`")
    if (kind := shapes.text(side, "type")) not in _PREFIXES:
        raise NotOurs("neither a branch nor a tag")
    name = shapes.ref(_PREFIXES[kind] + shapes.text(side, "name"))
    before = shapes.optional_revision(change, "old.target.hash") or ZERO
    after = shapes.optional_revision(change, "new.target.hash") or ZERO
    teller = _teller(body, shapes.member(body, "repository"), host, delivery_id)
    return teller.moved(name, before, after, shapes.flag(change, "forced"))


def _server_push(body: Json, change: Json, host: str, delivery_id: str) -> GitEvent:
    name = shapes.ref(shapes.text(change, "ref.id", "refId"))
    before, after = shapes.revision(change, "fromHash"), shapes.revision(change, "toHash")
    return _teller(body, shapes.member(body, "repository"), host, delivery_id).moved(name, before, after)


def _cloud_pull_request(body: Json, action: PullRequestAction, host: str, delivery_id: str) -> GitEvent:
    """Cloud has no ref for a pull request's head, and cuts its hash to 12 digits: the branch is what can be fetched."""
    pull = shapes.member(body, "pullrequest")
    teller = _teller(body, shapes.member(body, "repository"), host, delivery_id)
    branches = shapes.text(pull, "source.branch.name"), shapes.text(pull, "destination.branch.name")
    source = shapes.optional_text(pull, "source.repository.full_name")
    request = teller.request(shapes.number(pull, "id"), action, source, branches)
    head = _short_or_full(shapes.text(pull, "source.commit.hash"))
    return teller.requested(request, shapes.ref(f"refs/heads/{branches[0]}"), "", head)


def _server_pull_request(body: Json, action: PullRequestAction, host: str, delivery_id: str) -> GitEvent:
    pull = shapes.member(body, "pullRequest")
    teller = _teller(body, shapes.member(pull, "toRef.repository"), host, delivery_id)
    count, source = shapes.number(pull, "id"), _full_name(shapes.member(pull, "fromRef.repository"))
    branches = shapes.text(pull, "fromRef.displayId"), shapes.text(pull, "toRef.displayId")
    before, after = shapes.optional_revision(body, "previousFromHash"), shapes.revision(pull, "fromRef.latestCommit")
    request = teller.request(count, action, source, branches)
    return teller.requested(request, f"refs/pull-requests/{count}/from", before, after)


def _teller(body: Json, found: Json, host: str, delivery_id: str) -> Teller:
    """Cloud tells nickname and display_name of the one who acted, Data Center name and displayName."""
    people = ("actor.nickname", "actor.display_name", "actor.name", "actor.displayName")
    return Teller(host, delivery_id, _full_name(found), _url(found), shapes.person(body, *people))


def _short_or_full(found: str) -> str:
    if not 7 <= len(found) <= 64 or set(found) - set("0123456789abcdef"):
        raise Malformed("`pullrequest.source.commit.hash` is not a commit SHA")
    return found
