"""Whatever arrives, the verdict is a verdict; and nothing unsigned is ever accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.webhooks.events import GitEvent, event_id
from slipway.webhooks.judgement import DeliveryState, Source, judge
from slipway.webhooks.signatures import HostKind
from tests.unit.webhooks.signing import secret_for, signature
from tests.unit.webhooks.test_webhook_signatures import BODY, MARK

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
SOURCES = tuple(Source(kind, kind.value, (secret_for(kind),), {"acme/mgeo": ""}) for kind in HostKind)
NAMES = st.sampled_from(
    sorted(
        {name for mark in MARK.values() for name in mark}
        | {"x-hub-signature", "x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature", "x-forgejo-event"}
        | {"x-gitlab-token", "x-codeup-token", "x-gitee-token", "x-gitee-timestamp", "idempotency-key"}
        | {"webhook-id", "webhook-timestamp", "webhook-signature", "x-github-delivery", "x-request-uuid"}
    )
)
EVENTS = st.sampled_from(
    [
        b"push",
        b"pull_request",
        b"delete",
        b"ping",
        b"Push Hook",
        b"Merge Request Hook",
        b"repo:push",
        b"repo:refs_changed",
        b"pullrequest:created",
        b"pr:opened",
        b"diagnostics:ping",
    ]
)
KEYS = st.sampled_from(
    [
        "ref",
        "before",
        "after",
        "repository",
        "full_name",
        "clone_url",
        "url",
        "project",
        "path_with_namespace",
        "git_http_url",
        "object_kind",
        "event_name",
        "object_attributes",
        "iid",
        "action",
        "last_commit",
        "id",
        "source",
        "target",
        "hook_name",
        "pull_request",
        "number",
        "head",
        "base",
        "sha",
        "repo",
        "push",
        "changes",
        "new",
        "old",
        "type",
        "name",
        "hash",
        "pullrequest",
        "pullRequest",
        "fromRef",
        "toRef",
        "forced",
        "checkout_sha",
        "ref_type",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(
        ["push", "tag_push", "merge_request", "push_hooks", "merge_request_hooks", "git.push", "acme/mgeo"]
    ),
    st.sampled_from(["refs/heads/main", "refs/tags/v1", "a" * 40, "0" * 40, "opened", "open", "branch", "tag"]),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=25
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=100) | EVENTS), st.binary(max_size=300))
def test_random_headers_and_bytes_are_never_accepted(headers: dict[str, bytes], body: bytes) -> None:
    verdict = judge(headers, body, SOURCES, now=NOW, window_s=300)
    assert (verdict.state, verdict.status) == (DeliveryState.REJECTED, 401)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(list(HostKind)), EVENTS, JSON)
def test_signed_nonsense_is_answered_and_never_raises(kind: HostKind, event: bytes, content: Any) -> None:
    body = json.dumps(content).encode()
    headers = {**MARK[kind], **{name: event for name in MARK[kind] if name != "webhook-id"}}
    headers |= signature(kind, headers, body, secret_for(kind), NOW)
    verdict = judge(headers, body, SOURCES, now=NOW, window_s=300)
    assert verdict.status in (200, 202, 400, 403)
    assert bool(verdict.events) == (verdict.state is DeliveryState.ACCEPTED)
    for one in verdict.events:
        assert one.repository.lower() == "acme/mgeo"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(HostKind)), st.integers(0, 10_000), st.integers(1, 255))
def test_one_flipped_bit_in_a_proof_is_one_too_many(kind: HostKind, position: int, flip: int) -> None:
    headers = {**MARK[kind]}
    proof = signature(kind, headers, BODY, secret_for(kind), NOW)
    name = sorted(proof)[position % len(proof)]
    value = bytearray(proof[name])
    value[position % len(value)] ^= flip
    verdict = judge({**headers, **proof, name: bytes(value)}, BODY, SOURCES, now=NOW, window_s=300)
    assert verdict.status == 401


@given(st.text(min_size=1, max_size=8), st.text(max_size=8), st.sampled_from(["a" * 40, "b" * 40]), st.integers(0, 3))
def test_an_events_id_depends_on_what_happened_and_not_on_who_told_it(
    name: str, delivery: str, revision: str, occurrence: int
) -> None:
    told: dict[str, str | None] = {
        "kind": "push",
        "host": "h",
        "repository": name,
        "url": "u",
        "ref": "refs/heads/m",
        "before": "c" * 40,
    }
    told |= {"after": revision, "forced": None, "sender": "x"}
    first = GitEvent.model_validate(told | {"delivery_id": delivery})
    again = GitEvent.model_validate(told | {"delivery_id": delivery + "'", "sender": "y", "before": ""})
    assert event_id(first, occurrence) == event_id(again, occurrence)
    assert event_id(first, occurrence) != event_id(again, occurrence + 1)
