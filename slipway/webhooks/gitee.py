"""Gitee. Shapes: help.gitee.com "WebHook push data format" (push_hooks, tag_push_hooks, merge_request_hooks)."""

from __future__ import annotations

from slipway.webhooks import shapes
from slipway.webhooks.events import GitEvent, PullRequestAction
from slipway.webhooks.shapes import Json, NotOurs
from slipway.webhooks.telling import Teller

_ACTIONS = {
    "open": PullRequestAction.OPENED,
    "reopen": PullRequestAction.REOPENED,
    "close": PullRequestAction.CLOSED,
    "merge": PullRequestAction.MERGED,
}
_NAMES = ("repository.full_name", "repository.path_with_namespace", "project.full_name", "project.path_with_namespace")
_URLS = ("repository.clone_url", "repository.git_http_url", "project.clone_url", "project.git_http_url")


def repository_of(body: Json) -> str:
    """The repository a delivery speaks of."""
    return shapes.repository(shapes.text(body, *_NAMES))


def parse(body: Json, *, event: str, host: str, delivery_id: str) -> list[GitEvent]:
    """`event` is X-Gitee-Event; the body's `hook_name` says the same in other words."""
    hook = shapes.optional_text(body, "hook_name")
    if hook in ("push_hooks", "tag_push_hooks"):
        return [_push(body, host, delivery_id)]
    if hook == "merge_request_hooks":
        return [_pull_request(body, host, delivery_id)]
    raise NotOurs(f"event {(hook or event)[:60]!r} moves no code")


def _push(body: Json, host: str, delivery_id: str) -> GitEvent:
    before, after = shapes.revision(body, "before"), shapes.revision(body, "after")
    teller = _teller(body, host, delivery_id, "sender.login", "sender.username", "user_name", "pusher.name")
    return teller.moved(shapes.ref(shapes.text(body, "ref")), before, after, shapes.flag(body, "forced"))


def _pull_request(body: Json, host: str, delivery_id: str) -> GitEvent:
    action = _action_of(body)
    pull = shapes.member(body, "pull_request")
    teller = _teller(body, host, delivery_id, "sender.login", "sender.username", "author.login")
    source = shapes.optional_text(pull, "head.repo.full_name", "head.repo.path_with_namespace")
    count = shapes.number(pull, "number")
    request = teller.request(count, action, source, (shapes.text(pull, "head.ref"), shapes.text(pull, "base.ref")))
    return teller.requested(request, f"refs/pull/{count}/head", "", shapes.revision(pull, "head.sha"))


def _action_of(body: Json) -> PullRequestAction:
    action = shapes.optional_text(body, "action")
    if action == "update" and shapes.optional_text(body, "action_desc") == "source_branch_changed":
        return PullRequestAction.UPDATED
    if action not in _ACTIONS:
        raise NotOurs("this pull request action changes no code")
    return _ACTIONS[action]


def _teller(body: Json, host: str, delivery_id: str, *people: str) -> Teller:
    return Teller.of(body, host, delivery_id, repository_of(body), _URLS, people)
