"""Traffic moves between releases under load, and nobody's request fails; router and ledger are held together."""

from __future__ import annotations

import json

import httpx
import pytest

from slipway.host import names
from slipway.identity import Digest
from slipway.processes import run
from slipway.rollout.blue_green import live_slot, weights
from slipway.rollout.haproxy import Router
from tests.engine.conftest import GitRepository, Harness
from tests.engine.runs import toy_in, until, watched

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def pair(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> tuple[GitRepository, list[str]]:
    """A repository whose two revisions were shipped, and their digests; the second is live, the first stands by."""
    repository, digests = toy_in(tmp_path_factory.mktemp("switch")), []
    for text in ("first", "second"):
        repository.commit({"docker/toy/about.txt": text}, message=text)
        ended = harness.ship(repository)
        assert ended.completed, ended.message
        digests.append(serving(harness))
    return repository, digests


def serving(harness: Harness) -> str:
    return str(httpx.get(f"{harness.url}/version").json()["digest"])


def status(harness: Harness) -> dict[str, object]:
    said = harness.cli("status", "--json")
    assert said.returncode == 0, said.stderr
    (toy,) = json.loads(said.stdout)["serving"]
    return dict(toy)


def test_ten_rollouts_under_load_lose_no_request(harness: Harness, pair: tuple[GitRepository, list[str]]) -> None:
    work, (_, digests) = harness.workshop, pair
    with watched(harness.url) as seen:
        for turn in range(10):
            digest = Digest(digests[turn % 2])
            image = work.repository("toy").at(digest)
            work.deployer("local").roll_out(work.candidate("toy", digest, image))
            assert serving(harness) == digest
    assert all(report.is_clean for report in seen), seen


def test_rollbacks_under_load_lose_no_request(harness: Harness, pair: tuple[GitRepository, list[str]]) -> None:
    before = serving(harness)
    with watched(harness.url) as seen:
        for digest in [one for one in pair[1] if one != before] + [before]:
            done = harness.cli("rollback", "toy", "--json")
            assert done.returncode == 0, done.stderr
            assert serving(harness) == digest
    assert all(report.is_clean for report in seen), seen


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_router_that_starts_again_sends_the_traffic_where_it_went(harness: Harness, how: str) -> None:
    places, digest = harness.workshop.deployer("local").places, serving(harness)
    wanted = weights(live_slot(places.read("toy")))
    router = names.router(harness.workshop.settings.instance, "local", "toy")
    run(["docker", how, router], deadline_s=60)
    if how == "kill":
        run(["docker", "start", router], deadline_s=60)
    until(lambda: answers(harness), 30)
    assert serving(harness) == digest
    assert places.observed("toy") == wanted
    assert status(harness)["agrees"] is True


def answers(harness: Harness) -> bool:
    try:
        return httpx.get(f"{harness.url}/healthz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def test_a_router_that_disagrees_is_reported_and_put_right_by_the_next_rollout(
    harness: Harness, pair: tuple[GitRepository, list[str]]
) -> None:
    repository, _ = pair
    places = harness.workshop.deployer("local").places
    live = live_slot(places.read("toy"))
    assert live
    Router(harness.workshop.harbour.router_folder("local", "toy")).shift(weights(live.other))
    assert status(harness)["agrees"] is False
    assert "the router disagrees" in harness.cli("status").stdout
    with watched(harness.url) as seen:
        ended = harness.ship(repository)
        assert ended.completed, ended.message
    assert all(report.is_clean for report in seen), seen
    assert status(harness)["agrees"] is True
    assert httpx.get(f"{harness.url}/version").json()["revision"] == repository.git("rev-parse", "HEAD")
