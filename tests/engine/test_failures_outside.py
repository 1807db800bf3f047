"""Outsides that fail: waited for where that helps, refused in words where not; the live release never notices."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.sorting import FlowRunSort

from slipway.engine import INSTANCE, ROLE
from slipway.errors import PortTaken, RegistryRefused
from slipway.identity import Tag
from tests.engine.conftest import GitRepository, Harness
from tests.engine.failing import assert_nothing_left, assert_readable, ensure_live, serving, ship_fails
from tests.engine.outages import EngineSocket, registry_down, shipping, small_disk, taken_port
from tests.engine.runs import task_states, until, wait_for_task, watched
from tests.ports import free_port

pytestmark = pytest.mark.engine

SLOW_SMOKE = ("docker/toy/smoke.py", "import json", "import time\ntime.sleep(5)\nimport json")


@pytest.fixture(autouse=True)
def live(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> None:
    ensure_live(harness, tmp_path_factory.mktemp("live"))


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[EngineSocket]:
    """Where the runs of this test look for their engine."""
    proxy = EngineSocket(tmp_path / "engine.sock")
    proxy.mend()
    yield proxy
    proxy.cut()


def newest_run() -> UUID:
    async def ask() -> UUID:
        async with get_client() as client:
            ships = FlowFilter(name=FlowFilterName(any_=["ship"]))
            newest = FlowRunSort.EXPECTED_START_TIME_DESC
            return (await client.read_flow_runs(flow_filter=ships, sort=newest, limit=1))[0].id

    return asyncio.run(ask())


def smoking(harness: Harness) -> bool:
    mine = {INSTANCE: harness.workshop.settings.instance, ROLE: "smoke"}
    return any(found.status == "running" for found in harness.workshop.engine.labelled(mine))


def awaits_retry(flow_run: UUID, task: str) -> bool:
    return any(name.startswith(task) and state == "AwaitingRetry" for name, state in task_states(flow_run).items())


def test_a_registry_that_is_down_for_a_while_is_waited_for(harness: Harness, toy: GitRepository) -> None:
    revision = toy.replace(*SLOW_SMOKE)
    with watched(harness.url) as seen:
        flow_run = harness.start(repository=str(toy.path))
        wait_for_task(flow_run, "smoke")
        with registry_down(harness):
            until(lambda: awaits_retry(flow_run, "release"))
        ended = harness.wait(flow_run)
    assert ended.completed, ended.message
    assert httpx.get(f"{harness.url}/version").json()["revision"] == revision
    assert all(report.is_clean for report in seen), seen
    assert_nothing_left(harness, flow_run)


def test_a_registry_that_stays_down_ends_the_run_with_its_name(harness: Harness, toy: GitRepository) -> None:
    toy.replace(*SLOW_SMOKE)
    before = serving(harness)
    with watched(harness.url) as seen, shipping(toy.path, impatient=True, environ={}) as end:
        until(lambda: smoking(harness))
        with registry_down(harness):
            found = end()
    assert found["kind"] == "RegistryUnavailable", found
    assert_readable(found["error"])
    assert harness.workshop.settings.registry in found["error"].splitlines()[0]
    assert serving(harness) == before
    assert all(report.is_clean for report in seen), seen
    assert_nothing_left(harness, UUID(found["run"]))


def test_an_engine_that_stops_for_a_while_is_waited_for(
    harness: Harness, toy: GitRepository, engine_socket: EngineSocket
) -> None:
    revision = toy.replace(*SLOW_SMOKE)
    with shipping(toy.path, environ={"DOCKER_HOST": f"unix://{engine_socket.path}"}) as end:
        until(lambda: smoking(harness))
        engine_socket.cut()
        until(lambda: awaits_retry(newest_run(), "smoke"))
        engine_socket.mend()
        found = end()
    assert not found["kind"], found
    assert httpx.get(f"{harness.url}/version").json()["revision"] == revision
    assert_nothing_left(harness, UUID(found["run"]))


def test_an_engine_that_stays_away_ends_the_run_and_the_janitor_sweeps_up(
    harness: Harness, toy: GitRepository, engine_socket: EngineSocket
) -> None:
    toy.replace(*SLOW_SMOKE)
    before = serving(harness)
    environ = {"DOCKER_HOST": f"unix://{engine_socket.path}"}
    with shipping(toy.path, impatient=True, environ=environ) as end:
        until(lambda: smoking(harness))
        engine_socket.cut()
        found = end()
    assert found["kind"] == "EngineUnavailable", found
    assert_readable(found["error"])
    assert serving(harness) == before
    harness.workshop.janitor.of_run(found["run"])
    assert_nothing_left(harness, UUID(found["run"]))


def test_a_disk_that_is_too_small_is_refused_beforehand_with_numbers(
    harness: Harness, toy: GitRepository, tmp_path: Path
) -> None:
    before = serving(harness)
    with small_disk(tmp_path / "disk", 64) as disk:
        with shipping(toy.path, environ={"SLIPWAY_CACHE": str(disk)}) as end:
            found = end()
        made = [file for place in ("bases", "wheels", "buildah", "models") for file in (disk / place).rglob("*")]
        assert not [file for file in made if file.is_file() and file.stat().st_size], made
    assert found["kind"] == "NotEnoughSpace", found
    assert_readable(found["error"])
    assert "400.0 MB needed" in found["error"].splitlines()[0]
    assert "nothing was built" in found["error"].splitlines()[0]
    assert str(disk) in found["error"]
    assert serving(harness) == before
    assert_nothing_left(harness, UUID(found["run"]))


def test_a_port_of_the_router_that_is_taken_is_named(harness: Harness, toy: GitRepository, tmp_path: Path) -> None:
    before, own = serving(harness), tmp_path / "environments.yaml"
    with taken_port() as port:
        own.write_text(f"staging: {{ services: {{ toy: {{ live: {port}, preview: {free_port()} }} }} }}\n")
        environ = {"SLIPWAY_ENVIRONMENTS": str(own), "SLIPWAY_PORT_OFFSET": "0"}
        with shipping(toy.path, environ=environ, environment="staging") as end:
            found = end()
    assert found["kind"] == "PortTaken", found
    assert_readable(found["error"])
    assert str(port) in found["error"].splitlines()[0]
    assert serving(harness) == before
    assert harness.workshop.slots.read("staging", "toy") == {}
    assert_nothing_left(harness, UUID(found["run"]))


@pytest.mark.parametrize("whose", ["PREFECT", "REGISTRY"])
def test_a_port_of_slipway_that_is_taken_is_named(harness: Harness, tmp_path: Path, whose: str) -> None:
    instance = harness.workshop.settings.instance if whose == "PREFECT" else f"slipway-test-{os.getpid()}-taken"
    with taken_port() as port:
        own = {"SLIPWAY_HOME": str(tmp_path), "SLIPWAY_INSTANCE": instance, f"SLIPWAY_{whose}_PORT": str(port)}
        elsewhere = Harness(harness.workshop, {**harness.environment, **own})
        done = elsewhere.cli("up")
        print(done.stderr)
        assert done.returncode == PortTaken.exit_code, done.stderr
        assert str(port) in done.stderr[done.stderr.index("slipway: ") :].splitlines()[0]
        assert_readable(done.stderr[done.stderr.index("slipway: ") :])
    if whose == "REGISTRY":
        assert elsewhere.cli("down").returncode == 0
        assert harness.workshop.engine.labelled({INSTANCE: instance}) == ()


def test_a_protected_tag_never_moves(harness: Harness, toy: GitRepository) -> None:
    toy.git("tag", "1.2.3")
    assert harness.ship(toy, ref="1.2.3").completed
    with harness.workshop.registry() as client:
        named = client.digest(harness.workshop.repository("toy"), Tag("1.2.3"))
        toy.commit({"docker/toy/note.txt": "another revision"})
        toy.git("tag", "--force", "1.2.3")
        error = ship_fails(harness, toy, RegistryRefused, ref="1.2.3")
        assert client.digest(harness.workshop.repository("toy"), Tag("1.2.3")) == named
    assert f"1.2.3 names {named}" in error.what.splitlines()[0]
