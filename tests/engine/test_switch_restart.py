"""Stopping everything and starting it again: nothing of ours stays behind, and what was live serves again."""

from __future__ import annotations

import httpx
import psutil
import pytest

from deployments.installation import Installation
from slipway.engine import INSTANCE
from slipway.host import names
from slipway.processes import run
from tests.engine.conftest import GitRepository, Harness
from tests.engine.runs import toy_in

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def shipped(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    """Two revisions were shipped: the second is live, the first stands by."""
    repository = toy_in(tmp_path_factory.mktemp("restart"))
    assert harness.ship(repository).completed
    repository.commit(message="second")
    assert harness.ship(repository).completed
    return repository


def up(harness: Harness) -> str:
    said = harness.cli("up")
    assert said.returncode == 0, said.stderr
    return said.stderr


def containers(harness: Harness) -> dict[str, str]:
    mine = harness.workshop.engine.labelled({INSTANCE: harness.workshop.settings.instance})
    return {one.name: one.id for one in mine}


def networks() -> str:
    return run(["docker", "network", "ls", "--format", "{{.Name}}"], deadline_s=30).stdout


def processes(harness: Harness) -> list[list[str]]:
    """Programs that work for this installation, by the environment they were started with."""
    return [
        process.cmdline()
        for process in psutil.process_iter()
        if _instance(process) == harness.workshop.settings.instance
    ]


def _instance(process: psutil.Process) -> str:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process.environ().get("SLIPWAY_INSTANCE", "") if alive else ""
    except psutil.Error:
        return ""


def serves(harness: Harness) -> str:
    return str(httpx.get(f"{harness.url}/version").json()["revision"])


@pytest.mark.usefixtures("shipped")
def test_up_again_changes_nothing(harness: Harness) -> None:
    installation, before = Installation(harness.workshop), containers(harness)
    daemons = installation.server.pid, installation.worker.pid, installation.forkserver.pid
    assert "registered" not in up(harness)
    assert containers(harness) == before
    assert (installation.server.pid, installation.worker.pid, installation.forkserver.pid) == daemons


def test_down_leaves_nothing_and_up_brings_the_live_release_back(harness: Harness, shipped: GitRepository) -> None:
    was_running = containers(harness)
    down = harness.cli("down")
    assert down.returncode == 0, down.stderr
    assert not containers(harness)
    assert harness.workshop.settings.instance not in networks().split()
    assert not processes(harness)
    said = up(harness)
    assert set(containers(harness)) == set(was_running), said
    assert serves(harness) == shipped.git("rev-parse", "HEAD")
    assert '"agrees": true' in harness.cli("status", "--json").stdout
    assert harness.cli("rollback", "toy").returncode == 0
    assert serves(harness) == shipped.git("rev-parse", "HEAD~1")


@pytest.mark.usefixtures("shipped")
def test_up_mends_what_died(harness: Harness) -> None:
    """A power cut, as far as a test can cut the power: every container and daemon is killed at once."""
    installation, revision, before = Installation(harness.workshop), serves(harness), containers(harness)
    run(["docker", "kill", *before], deadline_s=60)
    for daemon in (installation.worker, installation.forkserver, installation.server):
        assert daemon.pid
        psutil.Process(daemon.pid).kill()
    said = up(harness)
    assert set(containers(harness)) == set(before), said
    assert serves(harness) == revision


def test_a_release_that_cannot_come_back_is_named_and_shipped_anew(harness: Harness, shipped: GitRepository) -> None:
    settings = harness.workshop.settings
    for name in containers(harness):
        if name != names.registry(settings.instance):
            harness.workshop.engine.remove(name)
    for reference in harness.workshop.engine.image_references(str(harness.workshop.repository("toy"))):
        harness.workshop.engine.remove_image(reference)
    run(["docker", "stop", names.registry(settings.instance)], deadline_s=60)
    data = settings.home / "registry" / "data"
    data.rename(data.with_name("lost"))
    assert "toy in local was not brought back" in up(harness)
    ended = harness.ship(shipped)
    assert ended.completed, ended.message
    assert serves(harness) == shipped.git("rev-parse", "HEAD")
