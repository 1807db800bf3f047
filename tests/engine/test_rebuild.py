"""The nightly rebuild: what serves gets today's packages, and only what they change is shipped."""

from __future__ import annotations

import asyncio
import re
import shutil

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact

from deployments.runs import Ended
from slipway.dependencies.renewal import renew_lock
from slipway.identity import Digest
from slipway.image.base import Login, load_recipe
from slipway.image.base_store import BaseStore
from tests.engine.conftest import ROOT, GitRepository, Harness

pytestmark = pytest.mark.engine

_UNPACK = """RUN --mount=type=bind,source=wheels,target=/wheels echo "wheels ${DEPENDENCIES}" && python3 -c "\\
import glob, zipfile; [zipfile.ZipFile(one).extractall('/opt/site') for one in glob.glob('/wheels/*.whl')]"
"""
_BASE = """name: rebuilt
pull: {reference}
suite: bookworm
packages: [python3-minimal]
command: [python3]
"""


def with_an_old_package(toy: GitRepository, base: str) -> None:
    """The toy of last year: an old version in its lock, though its wishes allow today's; a base pulled by digest."""
    service, recipe = toy.path / "docker" / "toy", toy.path / "docker" / "rebuilt"
    recipe.mkdir()
    shutil.copy(ROOT / "docker" / "python" / "tools.lock", recipe)
    (recipe / "base.yaml").write_text(_BASE.format(reference=base))
    (service / "cpu.in").write_text("six<1.17\n")
    assert renew_lock(service / "cpu.lock", print) == ""
    (service / "cpu.in").write_text("six\n")
    dockerfile = (service / "Dockerfile").read_text()
    (service / "Dockerfile").write_text(re.sub(r"RUN --mount.*\n", lambda _: _UNPACK, dockerfile))
    toy.replace("docker/toy/service.yaml", "base: python", "base: rebuilt")


def python_base(harness: Harness) -> str:
    """A base that can be pulled by digest: the installation's own."""
    work = harness.workshop
    repository = work.repository("slipway/python")
    with work.registry() as client:
        recipe = load_recipe(ROOT / "docker" / "python" / "base.yaml")
        store = BaseStore(client, repository, Login(plain=True), work.settings.cache, print)
        return repository.at(store.provide(recipe))


def report_of(ended: Ended) -> Artifact:
    """What the run says of the toy."""

    async def ask() -> list[Artifact]:
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[ended.id]))
        async with get_client() as client:
            return await client.read_artifacts(artifact_filter=mine)

    (found,) = [one for one in asyncio.run(ask()) if one.key == "rebuild-toy"]
    return found


def test_a_package_that_moved_is_shipped_and_named_and_what_did_not_move_is_not_shipped(
    harness: Harness, toy: GitRepository
) -> None:
    with_an_old_package(toy, python_base(harness))
    shipped = harness.ship(toy)
    assert shipped.completed, shipped.message
    before = httpx.get(f"{harness.url}/version").json()

    moved = harness.wait(harness.start("rebuild/rebuild", service="toy"))
    assert moved.completed, moved.message
    after = httpx.get(f"{harness.url}/version").json()
    assert after["revision"] == before["revision"]
    assert after["digest"] != before["digest"]
    assert re.search(r"\| wheel:six \| 1\.16\.0 \| 1\.1[7-9]", str(report_of(moved).data))

    again = harness.wait(harness.start("rebuild/rebuild", service="toy"))
    assert again.completed, again.message
    assert httpx.get(f"{harness.url}/version").json() == after
    assert not [step for step in again.steps if step.name.startswith(("smoke", "toy "))]
    assert "serves already" in str(report_of(again).data)

    tidied = harness.wait(harness.start("cleanup/cleanup", registry=True))
    assert tidied.completed, tidied.message
    with harness.workshop.registry() as client:
        assert client.holds(harness.workshop.repository("toy"), Digest(after["digest"]))
