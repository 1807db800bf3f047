from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from deployments.tracing import serving, traced, tracing_page
from slipway.errors import LedgerError, RouterUnavailable
from slipway.ledger.releases import Release
from slipway.rollout.blue_green import Slot, SlotState
from slipway.rollout.haproxy import Router
from slipway.settings import Settings
from slipway.workshop import Workshop
from tests.unit.values import NOON, REVISION, TOY, digest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A ledger in memory with one release and its evidence; no engine."""
    environments = ROOT / "tests" / "fixtures" / "toy" / "environments.yaml"
    workshop = Workshop(Settings(home=tmp_path, cache=tmp_path, environments=str(environments)), ROOT)
    vars(workshop).update(ledger=sa.create_engine("sqlite://", poolclass=StaticPool), engine=None, machine=None)
    facts = {
        "service": TOY.model_dump(mode="json"),
        "tags": ["main", "v1"],
        "labels": {"org.opencontainers.image.revision": REVISION},
        "gates": {"smoke": "passed"},
    }
    workshop.releases.record(Release("toy", digest("a"), REVISION, "https://git.example.com/toy", facts, NOON))
    smoke = {"cases": [{"passed": False, "name": "double", "score": 43}]}
    bench = {"machine": "m", "time_to_ready_s": 1.5, "rss_mb": 50, "image_mb": 100}
    gates = {"verdicts": [{"outcome": "failed", "gate": "smoke", "why": "0 of 1"}]}
    evidence: dict[str, dict[str, Any]] = {"smoke": smoke, "benchmark": bench, "gates": gates}
    for kind, found in evidence.items():
        workshop.releases.remember_evidence("toy", digest("a"), kind, "m", found, NOON)
    return workshop


def telling(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> list[str]:
    asked: list[str] = []

    def get(url: str, **_how: Any) -> httpx.Response:
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "get", get)
    return asked


@pytest.mark.parametrize("what", [digest("a"), f"127.0.0.1:5050/toy@{digest('a')}", REVISION, REVISION[:7]])
def test_a_release_is_traced_from_whatever_names_it(workshop: Workshop, what: str) -> None:
    found = traced(workshop, what)
    assert (found["service"], found["digest"], found["revision"]) == ("toy", digest("a"), REVISION)
    assert set(found["evidence"]) == {"smoke", "benchmark", "gates"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"])
def test_a_url_is_asked_which_digest_it_runs(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    asked = telling(monkeypatch, httpx.Response(200, json={"digest": digest("a")}))
    assert traced(workshop, url)["revision"] == REVISION
    assert asked == ["http://127.0.0.1:8080/version"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
    ],
)
def test_a_url_that_says_no_digest_is_explained(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception
) -> None:
    telling(monkeypatch, answer)
    with pytest.raises(LedgerError, match="does not say which digest it runs"):
        traced(workshop, "http://127.0.0.1:8080")


def test_the_page_shows_identity_labels_and_all_evidence(workshop: Workshop) -> None:
    lines = tracing_page(traced(workshop, REVISION)).splitlines()
    assert f"digest      {digest('a')}" in lines
    assert "tags        main, v1" in lines
    assert f"  org.opencontainers.image.revision = {REVISION}" in lines
    assert "smoke       FAILED  double  43" in lines
    assert "benchmark   on m: ready in 1.50 s" in lines
    assert "gate        failed  smoke: 0 of 1" in lines


@pytest.mark.parametrize(
    ("observed", "agrees"), [({"blue": 100, "green": 0}, True), ({"blue": 0, "green": 100}, False)]
)
def test_what_serves_is_compared_with_the_router(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, observed: dict[str, int], agrees: bool
) -> None:
    monkeypatch.setattr(Router, "weights", lambda _self: {Slot(name): weight for name, weight in observed.items()})
    workshop.slots.occupy("local", "toy", Slot.BLUE, SlotState(digest("a"), "toy@a", live=True))
    workshop.slots.occupy("local", "toy", Slot.GREEN, SlotState(digest("b"), "toy@b", live=False))
    (one,) = serving(workshop)
    assert (one["digest"], one["slot"], one["agrees"]) == (digest("a"), "blue", agrees)
    assert serving(workshop, "staging") == []


def test_a_router_that_is_away_does_not_agree(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: Router) -> dict[Slot, int]:
        raise RouterUnavailable("no socket")

    monkeypatch.setattr(Router, "weights", away)
    workshop.slots.occupy("local", "toy", Slot.BLUE, SlotState(digest("a"), "toy@a", live=True))
    (one,) = serving(workshop)
    assert one["agrees"] is False
