"""GitLab, and Alibaba Codeup, which speaks an older GitLab dialect.

Shapes: docs.gitlab.com "Webhook events" (push, tag_push, merge_request); help.aliyun.com "Webhooks settings" of Codeup.
"""

from __future__ import annotations

from slipway.webhooks import shapes
from slipway.webhooks.events import EventKind, GitEvent, PullRequestAction
from slipway.webhooks.shapes import Json, NotOurs
from slipway.webhooks.telling import Teller

_ACTIONS = {
    "open": PullRequestAction.OPENED,
    "reopen": PullRequestAction.REOPENED,
    "close": PullRequestAction.CLOSED,
    "merge": PullRequestAction.MERGED,
}
_URLS = (
    "project.git_http_url",
    "repository.git_http_url",
    "object_attributes.target.git_http_url",
    "object_attributes.target.http_url",
    "project.http_url",
    "repository.homepage",
    "project.web_url",
    "repository.url",
)


def repository_of(body: Json) -> str:
    """The repository a delivery speaks of: GitLab names it, for Codeup its URL does."""
    named = shapes.optional_text(body, "project.path_with_namespace", "object_attributes.target.path_with_namespace")
    return shapes.repository(named) if named else shapes.name_in_url(shapes.text(body, *_URLS))


def parse(body: Json, *, event: str, host: str, delivery_id: str) -> list[GitEvent]:
    """`event` is X-Gitlab-Event or Codeup-Event ("Push Hook"); system hooks name their kind in the body only."""
    kind = shapes.optional_text(body, "object_kind", "event_name")
    if kind in ("push", "tag_push"):
        return [_push(body, host, delivery_id)]
    if kind == "merge_request":
        return [_merge_request(body, host, delivery_id)]
    raise NotOurs(f"event {(kind or event)[:60]!r} moves no code")


def _push(body: Json, host: str, delivery_id: str) -> GitEvent:
    name = shapes.ref(shapes.text(body, "ref"))
    before, after = shapes.revision(body, "before"), shapes.revision(body, "after")
    if shapes.kind_of(name, before, after) is EventKind.TAG:
        # An annotated tag's `after` is the tag object; `checkout_sha` is the commit behind it.
        after = shapes.optional_revision(body, "checkout_sha") or after
    teller = _teller(body, host, delivery_id, "user_username", "user_name", "user_email")
    return teller.moved(name, before, after)


def _merge_request(body: Json, host: str, delivery_id: str) -> GitEvent:
    found = shapes.member(body, "object_attributes")
    count = shapes.number(found, "iid", "local_id", "id")
    teller = _teller(body, host, delivery_id, "user.username", "user.name")
    branches = shapes.text(found, "source_branch"), shapes.text(found, "target_branch")
    request = teller.request(count, _action_of(found), _source_of(body, found), branches)
    before, after = shapes.optional_revision(found, "oldrev"), shapes.revision(found, "last_commit.id")
    return teller.requested(request, f"refs/merge-requests/{count}/head", before, after)


def _teller(body: Json, host: str, delivery_id: str, *people: str) -> Teller:
    return Teller.of(body, host, delivery_id, repository_of(body), _URLS, people)


def _action_of(request: Json) -> PullRequestAction:
    """An "update" may be a new label; only one that moved the head (it then has `oldrev`) is code."""
    action = shapes.optional_text(request, "action") or {"opened": "open", "closed": "close", "merged": "merge"}.get(
        shapes.optional_text(request, "state"), ""
    )
    if action == "update" and (shapes.optional_text(request, "oldrev") or request.get("is_update_by_push") is True):
        return PullRequestAction.UPDATED
    if action not in _ACTIONS:
        raise NotOurs("this merge request action changes no code")
    return _ACTIONS[action]


def _source_of(body: Json, request: Json) -> str:
    """The source repository; without a name, equal project ids mean that it is the target's own."""
    named = shapes.optional_text(request, "source.path_with_namespace")
    if named:
        return shapes.repository(named)
    url = shapes.optional_text(request, "source.git_http_url", "source.http_url", "source.homepage")
    if url:
        return shapes.name_in_url(url)
    same = request.get("source_project_id") is not None and (
        request.get("source_project_id") == request.get("target_project_id")
    )
    return repository_of(body) if same else ""
