"""`git push`, and the new revision serves: through hook, receiver, ledger, sender, Prefect, engine and router."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.engine.conftest import Harness
from tests.engine.pushing import ADMIN, Pushed, delivery_of, receiving
from tests.engine.runs import until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def receiver(harness: Harness) -> Iterator[str]:
    with receiving(harness) as url:
        yield url


@pytest.mark.parametrize("shape", ["github", "gitlab"])
def test_a_push_becomes_a_serving_revision(harness: Harness, receiver: str, tmp_path: Path, shape: str) -> None:
    work = Pushed(tmp_path, f"{receiver}/hooks", shape)
    revision = work.clone.git("rev-parse", "HEAD")
    began = work.push()
    run = work.ended(revision)
    assert run.state is not None
    assert run.state.is_completed(), run.state.message
    said = httpx.get(f"{harness.url}/version").json()
    assert said["revision"] == revision
    release = harness.workshop.releases.find(said["digest"])
    assert "main" in release.facts["tags"], "shipped by its SHA, tagged by its branch"
    told = delivery_of(receiver, revision)
    assert told["repository"] == f"acme/{shape}"
    assert told["events"][0]["outcome"].startswith("shipped")
    assert run.end_time is not None
    print(f"\n{shape}: {run.end_time.timestamp() - began:.1f} s from git push to serving")


def test_documents_alone_build_nothing_and_the_wait_is_short(receiver: str, tmp_path: Path) -> None:
    work = Pushed(tmp_path, f"{receiver}/hooks", "github")
    work.clone.git("-C", str(work.bare), "config", "slipway.url", "http://127.0.0.1:9/nobody")
    work.push()
    work.clone.git("-C", str(work.bare), "config", "slipway.url", f"{receiver}/hooks")
    waits = []
    for number in range(5):
        revision = work.clone.commit({"README.md": f"words {number}"})
        began = work.push()
        run = work.ended(revision)
        assert run.state is not None
        assert run.state.is_completed(), run.state.message
        assert run.start_time is not None
        waits.append(run.start_time.timestamp() - began)
        (event,) = delivery_of(receiver, revision)["events"]
        assert event["outcome"].startswith("nothing to build"), event
    listed = ", ".join(f"{wait:.2f}" for wait in waits)
    print(f"\nfrom git push to run start: median {statistics.median(waits):.2f} s of {listed}")


def test_a_replayed_push_runs_again_and_finds_its_revision_serving(
    harness: Harness, receiver: str, tmp_path: Path
) -> None:
    work = Pushed(tmp_path, f"{receiver}/hooks", "github")
    revision = work.clone.git("rev-parse", "HEAD")
    work.push()
    work.ended(revision)
    told = delivery_of(receiver, revision)["id"]
    again = httpx.post(f"{receiver}/deliveries/{told}/replay", auth=("admin", ADMIN), timeout=10)
    assert again.json()["events"] == 1
    until(lambda: len([run for run in work.runs() if run.state and run.state.is_final()]) == 2, 60)
    assert httpx.get(f"{harness.url}/version").json()["revision"] == revision
