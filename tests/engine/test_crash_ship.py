"""A run that dies half-way: it ends as Crashed, leaves nothing, the live release never notices, a rerun completes."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from uuid import UUID, uuid4

import httpx
import pytest

from slipway.host import names
from slipway.processes import run
from tests.engine.conftest import GitRepository, Harness
from tests.engine.runs import (
    cancel,
    command,
    half_built,
    leftovers,
    occupied,
    process_of,
    task_states,
    toy_in,
    until,
    wait_for_task,
    watched,
)

pytestmark = pytest.mark.engine

SLOW_BUILD = ("docker/toy/Dockerfile", "ENV PYTHON", "RUN sleep 6\nENV PYTHON")
SLOW_SMOKE = ("docker/toy/smoke.py", "import json", "import time\ntime.sleep(6)\nimport json")
SLOW_START = ("docker/toy/server.py", "import json\n", "import json\nimport time\ntime.sleep(4)\n")


@pytest.fixture(scope="module")
def live(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    """The toy's repository, its first revision live."""
    repository = toy_in(tmp_path_factory.mktemp("crash"))
    ended = harness.ship(repository)
    assert ended.completed, ended.message
    return repository


def during_build(_: Harness, flow_run: UUID) -> None:
    wait_for_task(flow_run, "build toy")
    until(lambda: any("sleep 6" in command(one) for one in process_of(flow_run).children(recursive=True)))


def during_smoke(harness: Harness, flow_run: UUID) -> None:
    wait_for_task(flow_run, "smoke")
    until(lambda: harness.workshop.engine.labelled({"slipway.flow-run": str(flow_run)}))


def during_push(harness: Harness, flow_run: UUID) -> None:
    """The registry stands still before the release's tags are written: it stops during the smoke test."""
    during_smoke(harness, flow_run)
    run(["docker", "pause", names.registry(harness.workshop.settings.instance)], deadline_s=30)
    wait_for_task(flow_run, "release")


def during_switch(harness: Harness, flow_run: UUID) -> None:
    """The new release has its slot, and is not ready yet."""
    wait_for_task(flow_run, "toy ")
    slots = harness.workshop.slots
    until(lambda: any(state.is_being_tried for state in slots.read("local", "toy").values()))


PHASES = {
    "build": (SLOW_BUILD, during_build),
    "smoke": (SLOW_SMOKE, during_smoke),
    "push": (SLOW_SMOKE, during_push),
    "switch": (SLOW_START, during_switch),
}


def change(repository: GitRepository, name: str, slow: tuple[str, str, str] | None) -> str:
    """A new revision that takes its time in one phase; the earlier ones are as quick as ever again."""
    for file, _, _ in (SLOW_BUILD, SLOW_SMOKE, SLOW_START):
        repository.git("checkout", "--quiet", repository.git("rev-list", "--max-parents=0", "HEAD"), "--", file)
    if slow:
        file, old, new = slow
        repository.replace(file, old, new.replace("sleep 6\n", f"sleep 6 && echo {uuid4()}\n"))  # no cached layer
    return repository.commit({"docker/toy/about.txt": name}, message=name)


def end_up(harness: Harness, flow_run: UUID, state: str) -> None:
    ended = harness.wait(flow_run)
    assert ended.state == state, ended.message
    assert_gone(harness, flow_run)


def assert_gone(harness: Harness, flow_run: UUID) -> None:
    """Hooks run after the state is set."""

    def remains() -> list[str]:
        return leftovers(harness, flow_run) + half_built(harness)

    with suppress(AssertionError):
        until(lambda: not remains(), 20)
    assert not remains()
    assert not {"Running", "Pending"} & set(task_states(flow_run).values())


def rerun_completes(harness: Harness, repository: GitRepository, revision: str) -> None:
    again = harness.ship(repository)
    assert again.completed, again.message
    assert httpx.get(f"{harness.url}/version").json()["revision"] == revision
    assert not [name for name, status in occupied(harness).items() if status != "running"]


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_run_is_crashed_and_its_rerun_completes(harness: Harness, live: GitRepository, phase: str) -> None:
    slow, reached = PHASES[phase]
    revision = change(live, f"killed during {phase}", slow)
    with watched(harness.url) as seen:
        flow_run = harness.start(repository=str(live.path))
        reached(harness, flow_run)
        try:
            process_of(flow_run).kill()
        finally:
            run(["docker", "unpause", names.registry(harness.workshop.settings.instance)], deadline_s=30, check=False)
        end_up(harness, flow_run, "Crashed")
        rerun_completes(harness, live, revision)
    assert all(report.is_clean for report in seen), seen


@pytest.mark.parametrize("phase", ["build", "smoke"])
def test_a_cancelled_run_leaves_nothing_and_its_rerun_completes(
    harness: Harness, live: GitRepository, phase: str
) -> None:
    slow, reached = PHASES[phase]
    revision = change(live, f"cancelled during {phase}", slow)
    with watched(harness.url) as seen:
        flow_run = harness.start(repository=str(live.path))
        reached(harness, flow_run)
        cancel(flow_run)
        end_up(harness, flow_run, "Cancelled")
        rerun_completes(harness, live, revision)
    assert all(report.is_clean for report in seen), seen


def test_a_run_killed_between_router_and_ledger_is_reported_and_put_right(
    harness: Harness, live: GitRepository
) -> None:
    revision = change(live, "killed after the switch", SLOW_START)
    places = harness.workshop.deployer("local").places
    observed = places.observed("toy")
    with watched(harness.url) as seen, closing(sqlite3.connect(harness.workshop.settings.home / "ledger.db")) as ledger:
        flow_run = harness.start(repository=str(live.path))
        during_switch(harness, flow_run)
        ledger.isolation_level = None
        ledger.execute("BEGIN IMMEDIATE")  # the ledger takes no row while the router already has its orders
        until(lambda: places.observed("toy") != observed, 30)
        process_of(flow_run).kill()
        ledger.execute("ROLLBACK")
        end_up(harness, flow_run, "Crashed")
        until(lambda: places.observed("toy") == observed, 30)
        rerun_completes(harness, live, revision)
    assert all(report.is_clean for report in seen), seen
