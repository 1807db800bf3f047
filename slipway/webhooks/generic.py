"""Anything else: Slipway's own JSON form, signed as Standard Webhooks says.

    {"type": "git.push", "repository": {"name": "acme/mgeo", "url": "https://git.example.com/acme/mgeo.git"},
     "ref": "refs/heads/main", "before": "<sha>", "after": "<sha>", "forced": false, "sender": "mina"}

`type` is `git.push` for every branch and tag that moved, appeared (`before` all zeros) or went (`after` all zeros),
`git.pull_request` with a `pull_request` object, or `ping`.
"""

from __future__ import annotations

from slipway.webhooks import shapes
from slipway.webhooks.events import GitEvent, PullRequestAction
from slipway.webhooks.shapes import Json, Malformed, NotOurs
from slipway.webhooks.telling import Teller


def repository_of(body: Json) -> str:
    """The repository a delivery speaks of; "" for a ping without one."""
    name = shapes.optional_text(body, "repository.name")
    return shapes.repository(name) if name else ""


def parse(body: Json, *, event: str, host: str, delivery_id: str) -> list[GitEvent]:
    """`event` is not used: the body's `type` is signed, a header is not."""
    del event
    kind = shapes.text(body, "type")
    if kind == "ping":
        raise NotOurs("ping")
    if kind == "git.push":
        return [_push(body, host, delivery_id)]
    if kind == "git.pull_request":
        return [_pull_request(body, host, delivery_id)]
    raise NotOurs(f"type {kind[:60]!r} is neither git.push, git.pull_request nor ping")


def _push(body: Json, host: str, delivery_id: str) -> GitEvent:
    before, after = shapes.revision(body, "before"), shapes.revision(body, "after")
    return _teller(body, host, delivery_id).moved(
        shapes.ref(shapes.text(body, "ref")), before, after, shapes.flag(body, "forced")
    )


def _pull_request(body: Json, host: str, delivery_id: str) -> GitEvent:
    pull, teller = shapes.member(body, "pull_request"), _teller(body, host, delivery_id)
    source = shapes.optional_text(pull, "source_repository")
    if (action := shapes.text(pull, "action")) not in set(PullRequestAction):
        raise Malformed(f"`pull_request.action` is none of {', '.join(PullRequestAction)}")
    if not (head := shapes.text(body, "ref")).startswith("refs/"):
        raise Malformed("`ref` does not start with refs/")
    branches = shapes.text(pull, "source_branch"), shapes.text(pull, "target_branch")
    request = teller.request(shapes.number(pull, "number"), PullRequestAction(action), source, branches)
    before, after = shapes.optional_revision(body, "before"), shapes.revision(body, "after")
    return teller.requested(request, head, before, after, shapes.flag(body, "forced"))


def _teller(body: Json, host: str, delivery_id: str) -> Teller:
    name = shapes.repository(shapes.text(body, "repository.name"))
    return Teller.of(body, host, delivery_id, name, ("repository.url",), ("sender",))
