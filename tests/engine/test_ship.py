"""A commit really served: through the deployment, on a real engine, behind the real router."""

from __future__ import annotations

import httpx
import pytest

from tests.engine.conftest import GitRepository, Harness

pytestmark = pytest.mark.engine


def test_a_commit_becomes_a_served_and_traceable_image(harness: Harness, toy: GitRepository) -> None:
    ended = harness.ship(toy)
    assert ended.completed, ended.message
    revision = toy.git("rev-parse", "HEAD")
    said = httpx.get(f"{harness.url}/version").json()
    assert said["revision"] == revision
    assert httpx.post(f"{harness.url}/double", json={"numbers": [4]}).json() == {"doubled": [8]}
    traced = harness.cli("trace", harness.url, "--json")
    assert traced.returncode == 0, traced.stderr
    assert revision in traced.stdout
    assert said["digest"] in traced.stdout


def test_shipping_the_same_commit_again_builds_nothing(harness: Harness, toy: GitRepository) -> None:
    harness.ship(toy)
    again = harness.ship(toy)
    assert again.completed, again.message
    assert not [step for step in again.steps if step.name.startswith(("build", "smoke", "space"))]


def test_a_change_of_documents_alone_builds_nothing(harness: Harness, toy: GitRepository) -> None:
    before = toy.git("rev-parse", "HEAD")
    toy.commit({"docker/toy/README.md": "words", "docs/more.md": "more words"})
    ended = harness.ship(toy, before=before)
    assert ended.completed, ended.message
    assert [step.name for step in ended.steps][-1] == "nothing to build"


def test_rollback_gives_the_traffic_back_at_once(harness: Harness, toy: GitRepository) -> None:
    assert harness.ship(toy).completed
    first = httpx.get(f"{harness.url}/version").json()["revision"]
    toy.replace("docker/toy/server.py", '"ok": True', '"ok": "yes"')
    assert harness.ship(toy).completed
    assert httpx.get(f"{harness.url}/healthz").json() == {"ok": "yes"}
    done = harness.cli("rollback", "toy", "--json")
    assert done.returncode == 0, done.stderr
    assert httpx.get(f"{harness.url}/version").json()["revision"] == first
