"""Every host's documented deliveries, and exactly what they mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway.webhooks.events import GitEvent
from slipway.webhooks.judgement import DeliveryState, Source, Verdict, judge
from slipway.webhooks.signatures import HostKind
from tests.unit.webhooks.signing import SECRET, SIGNING_SECRET, secret_for, signature

FIXTURES = Path(__file__).parents[2] / "fixtures" / "webhooks"
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
REPOSITORIES = {"acme/mgeo": "", "acme/geo/mgeo": "", "geo/mgeo": ""}


def cases() -> list[Any]:
    found = []
    for path in sorted(FIXTURES.rglob("*.json")):
        kind = HostKind(path.parent.name)
        secrets = {HostKind.GITLAB: (SECRET, SIGNING_SECRET)}.get(kind, (secret_for(kind),))
        for secret in secrets:
            signed = "-signed" if secret is SIGNING_SECRET else ""
            found.append(pytest.param(kind, secret, json.loads(path.read_text()), id=f"{kind}/{path.stem}{signed}"))
    return found


def deliver(kind: HostKind, secret: bytes, fixture: dict[str, Any]) -> Verdict:
    body = json.dumps(fixture["body"], ensure_ascii=False).encode()
    headers = {name.lower(): value.encode() for name, value in fixture["headers"].items()}
    headers |= signature(kind, headers, body, secret, NOW)
    source = Source(kind, kind.value, (secret,), REPOSITORIES)
    return judge(headers, body, (source,), now=NOW, window_s=300)


@pytest.mark.parametrize(("kind", "secret", "fixture"), cases())
def test_documented_delivery_means_exactly_this(kind: HostKind, secret: bytes, fixture: dict[str, Any]) -> None:
    verdict = deliver(kind, secret, fixture)
    if "ignored" in fixture:
        assert (verdict.state, verdict.status) == (DeliveryState.IGNORED, 200)
        assert verdict.reason == fixture["ignored"]
        return
    assert (verdict.state, verdict.status) == (DeliveryState.ACCEPTED, 202), verdict
    expected = [dict(event) for event in fixture["events"]]
    for event in expected:
        if kind in (HostKind.CODEUP, HostKind.GITEE):
            event["delivery_id"] = verdict.delivery_id  # these hosts send none
        if secret is SIGNING_SECRET and kind is HostKind.GITLAB:
            event["delivery_id"] = fixture["headers"]["Idempotency-Key"]
    assert [event.model_dump(mode="json") for event in verdict.events] == expected


@pytest.mark.parametrize("kind", list(HostKind))
def test_every_host_tells_of_every_kind(kind: HostKind) -> None:
    told = set()
    for path in (FIXTURES / kind.value).glob("*.json"):
        told |= {event["kind"] for event in json.loads(path.read_text()).get("events", [])}
    assert told >= {"push", "tag", "branch.created", "branch.deleted", "pull_request"}
    assert (FIXTURES / kind.value / "forced_push.json").exists()


def test_a_configured_clone_url_replaces_the_delivered_one() -> None:
    fixture = json.loads((FIXTURES / "github" / "push.json").read_text())
    body = json.dumps(fixture["body"]).encode()
    headers = {name.lower(): value.encode() for name, value in fixture["headers"].items()}
    headers |= signature(HostKind.GITHUB, headers, body, SECRET, NOW)
    source = Source(HostKind.GITHUB, "inside", (SECRET,), {"acme/mgeo": "ssh://git@mirror/acme/mgeo"})
    (event,) = judge(headers, body, (source,), now=NOW, window_s=300).events
    assert event.url == "ssh://git@mirror/acme/mgeo"
    assert event.resource_id == "slipway.repository.inside/acme/mgeo"


def test_an_event_survives_its_json() -> None:
    for kind, secret, fixture in (case.values for case in cases()):
        for event in deliver(kind, secret, fixture).events:
            assert GitEvent.model_validate_json(event.model_dump_json()) == event
