"""The train flow: a turn of its own while it trains, a report, and a ship run when an environment is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments.runner import RunnerDeployment

from flows.ship import ship
from flows.train import train
from slipway.errors import DeadlineExceeded, TrainingFailed
from slipway.filelock import held
from slipway.model import Model
from tests.flows.conftest import World
from tests.unit.values import REVISION


def ship_runs() -> list[FlowRun]:
    """Runs of the ship deployment that somebody asked for."""
    with get_client(sync_client=True) as client:
        return [run for run in client.read_flow_runs() if run.deployment_id and not run.name.startswith("train")]


def test_a_training_that_names_no_environment_ships_nothing(world: World) -> None:
    before = len(ship_runs())
    assert train(service="toy", repository="/somewhere") == "toy-v1"
    assert world.steps == ["check out", "model"]
    assert len(ship_runs()) == before


def test_a_training_ends_in_a_ship_run_of_this_revision_with_the_new_version(world: World) -> None:
    deployment = ship.to_deployment("ship")
    assert isinstance(deployment, RunnerDeployment)
    applied = deployment.apply()
    assert train(service="toy", repository="/somewhere", environment="staging") == "toy-v1"
    assert world.steps == ["check out", "model"]
    (run,) = [run for run in ship_runs() if run.deployment_id == applied]
    wanted: dict[str, Any] = {"ref": REVISION, "service": "toy", "model": "toy-v1", "environment": "staging"}
    assert {name: run.parameters[name] for name in wanted} == wanted
    assert run.parent_task_run_id is None, "it goes its own way: the training's end does not end it"


def test_nothing_else_has_the_machine_while_a_model_is_trained(world: World) -> None:
    turn = world.workshop.settings.home / "run" / "turn.lock"
    taken = list[bool]()

    def look(*_words: Any) -> Model:
        try:
            with held(turn, deadline_s=0):
                taken.append(False)
        except DeadlineExceeded:
            taken.append(True)
        return Model(Path("model"), "key", "toy-v1", False)

    vars(world.workshop)["models"].prepare = look
    train(service="toy", repository="/somewhere")
    assert taken == [True]
    with held(turn, deadline_s=0):
        """The turn is given back."""


def test_a_failed_training_gives_its_turn_back_and_ships_nothing(world: World) -> None:
    before = len(ship_runs())
    world.breaks["model"] = [TrainingFailed("no data")]
    with pytest.raises(TrainingFailed, match="no data"):
        train(service="toy", repository="/somewhere", environment="staging")
    assert world.steps == ["check out", "model", "kill children"]
    assert len(ship_runs()) == before
    with held(world.workshop.settings.home / "run" / "turn.lock", deadline_s=0):
        """The turn is given back."""
