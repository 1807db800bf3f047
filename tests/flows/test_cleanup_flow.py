"""The cleanup flow: what it does each time, and what only while no run has the machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flows.cleanup import cleanup
from slipway.errors import DeadlineExceeded
from slipway.filelock import held
from slipway.host.removal import CleanupReport
from slipway.workshop import Workshop
from tests.flows.conftest import World


@pytest.fixture
def turn_taken_while_collecting(world: World, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each collection of the registry's garbage: whether nobody else could have had the machine."""
    collections: list[bool] = []

    def collect(*_words: object) -> CleanupReport:
        try:
            with held(lock_of(world), deadline_s=0):
                collections.append(False)
        except DeadlineExceeded:
            collections.append(True)
        return CleanupReport()

    monkeypatch.setattr("tasks.host.RegistryGarbage", lambda *_: SimpleNamespace(collect=collect))
    monkeypatch.setattr(Workshop, "janitor", SimpleNamespace(sweep=lambda *_: SimpleNamespace(to_markdown=str)))
    return collections


def lock_of(world: World) -> Any:
    return world.workshop.settings.home / "run" / "turn.lock"


def test_the_registry_is_collected_at_night_only_and_with_the_machine_to_itself(
    world: World, turn_taken_while_collecting: list[bool]
) -> None:
    cleanup()
    assert turn_taken_while_collecting == []
    cleanup(registry=True)
    assert turn_taken_while_collecting == [True]
    assert world.steps.count("space") == 2


def test_a_run_that_has_the_machine_keeps_the_registry_as_it_is(
    world: World, turn_taken_while_collecting: list[bool]
) -> None:
    with held(lock_of(world), deadline_s=1):
        cleanup(registry=True)
    assert turn_taken_while_collecting == []
    assert world.steps == ["space"], "the rest is done all the same"
