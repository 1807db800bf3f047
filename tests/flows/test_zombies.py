"""Runs whose process is gone, in a real server: automations and cleanup end them, and leave the living alone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling, Completed, Running

from deployments.automations import wanted
from tasks import runs
from tasks.runs import end_dead_runs

SOON_S = 10
"""The shortest silence that Prefect can notice."""
_SLEEPER = """
import time
from prefect import flow
from prefect.runtime import flow_run

@flow
def sleeper():
    print("run", flow_run.id, flush=True)
    time.sleep(300)

sleeper()
"""


@flow
def quiet() -> None:
    """Something for a run to be of."""


@pytest.fixture
def impatient() -> Iterator[None]:
    """The installation's automations once more, as they are but for their patience."""

    async def create() -> list[UUID]:
        async with get_client() as client:
            hasty = [
                one.model_copy(update={"name": f"{one.name}, soon"}) for one in wanted(silent_s=SOON_S, stuck_s=SOON_S)
            ]
            return [await client.create_automation(one) for one in hasty]

    async def delete() -> None:
        async with get_client() as client:
            for one in made:
                await client.delete_automation(one)

    made = asyncio.run(create())
    yield
    asyncio.run(delete())


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], UUID]]:
    """A process that runs a flow, and the run."""
    (tmp_path / "sleeper.py").write_text(_SLEEPER)
    server = {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "sleeper.py")], env={**os.environ, **server}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield process, UUID(next(line for line in process.stdout if line.startswith("run")).split()[1])
    finally:
        process.kill()
        process.wait()


def run_without_process(*states: State[None]) -> UUID:
    """A run that got into these states, one after the other."""

    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(quiet), name="quiet")
        run = client.create_flow_run_from_deployment(deployment, state=states[0])
        for state in states[1:]:
            client.set_flow_run_state(run.id, state, force=True)
        return run.id


def cancel_again(run: UUID) -> None:
    again: tuple[State[None], ...] = (Running(), Cancelling())
    with get_client(sync_client=True) as client:
        for state in again:
            client.set_flow_run_state(run, state, force=True)


def state_of(run: UUID) -> State[None]:
    with get_client(sync_client=True) as client:
        found = client.read_flow_run(run).state
    assert found
    return found


def beat(run: UUID) -> None:
    """What Prefect's engine sends for a run that lives."""
    emit_event(event="prefect.flow-run.heartbeat", resource={"prefect.resource.id": f"prefect.flow-run.{run}"})


@pytest.mark.usefixtures("impatient")
def test_a_run_without_heartbeats_crashes_a_stuck_cancellation_ends_and_a_living_run_goes_on(
    sleeper: tuple[subprocess.Popen[str], UUID],
) -> None:
    process, dead = sleeper
    stuck, alive = run_without_process(Running(), Cancelling()), run_without_process(Running())
    # Said twice, because a server with SQLite may lose one event under load: what `end_dead_runs` is there for.
    time.sleep(1)
    cancel_again(stuck)
    beat(dead)
    process.send_signal(signal.SIGKILL)
    process.wait()
    give_up = time.monotonic() + 60
    while not (state_of(dead).is_final() and state_of(stuck).is_final()) and time.monotonic() < give_up:
        beat(alive)
        time.sleep(1)
    assert (state_of(dead).is_crashed(), state_of(stuck).is_cancelled()) == (True, True)
    assert "no heartbeat for 10 s" in (state_of(dead).message or "")
    assert state_of(alive).is_running()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(alive, Completed(), force=True)


def is_stored(run: UUID) -> bool:
    wanted_events = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}
    with get_client(sync_client=True) as client:
        return bool(client.request("POST", "/events/filter", json={"filter": wanted_events}).json()["events"])


def test_what_the_automations_missed_ends_with_the_next_cleanup(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = timedelta(seconds=3)
    monkeypatch.setattr(runs, "DEAD_AFTER", silence)
    dead, alive, stuck = (run_without_process(Running()) for _ in range(3))
    over = run_without_process(Running(), Completed())
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(stuck, Cancelling(), force=True)
        left = client.create_task_run(end_dead_runs, over, "0", state=Running()).id
    assert end_dead_runs() == [], "they have not been silent for long"
    time.sleep(silence.total_seconds())
    give_up = time.monotonic() + 30
    while not is_stored(alive) and time.monotonic() < give_up:
        beat(alive)
        time.sleep(0.2)
    assert len(end_dead_runs()) == 2
    assert (state_of(dead).is_crashed(), state_of(stuck).is_cancelled()) == (True, True)
    assert (state_of(alive).is_running(), state_of(over).is_completed()) == (True, True)
    with get_client(sync_client=True) as client:
        assert client.read_task_run(left).state_type == StateType.CRASHED
        client.set_flow_run_state(alive, Completed(), force=True)
