"""The ship flow: its order, and what it does when a step goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from flows.rollback import rollback
from flows.ship import ship
from slipway.errors import (
    BuildFailed,
    GateFailed,
    IndexUnavailable,
    RegistryRefused,
    RegistryUnavailable,
    RolloutFailed,
    RouterUnavailable,
    SlipwayError,
    SmokeFailed,
    SourceError,
    UserError,
)
from slipway.summary import Shipped
from slipway.verify.smoke import SmokeCase, SmokeReport
from tests.flows.conftest import World
from tests.unit.values import REVISION, digest

SIDE_BY_SIDE = {"base", "wheels", "tools", "model"}
WHOLE = ["check out", "space", *sorted(SIDE_BY_SIDE), "build", "smoke", "benchmark", "tags", "roll out"]


def shipping(**parameters: Any) -> list[Shipped]:
    """Ship through the flow, as a run does."""
    shipped: list[Shipped] = ship(repository="/somewhere", **parameters)
    return shipped


def in_order(steps: list[str]) -> list[str]:
    """Steps with those that run side by side sorted; they must stand together."""
    beside = [at for at, step in enumerate(steps) if step in SIDE_BY_SIDE]
    if not beside:
        return steps
    first, last = beside[0], beside[-1] + 1
    return [*steps[:first], *sorted(steps[first:last]), *steps[last:]]


def test_a_commit_goes_through_every_step_in_order(world: World) -> None:
    (shipped,) = shipping()
    assert in_order(world.steps) == WHOLE
    assert (shipped.service, shipped.digest, shipped.revision) == ("toy", digest("a"), REVISION)
    assert shipped.tags == ("main",)


def test_a_shipped_release_lies_in_the_ledger_with_its_evidence(world: World) -> None:
    shipping()
    release = world.workshop.releases.get("toy", digest("a"))
    assert release.facts["gates"] == {"smoke": "passed", "size": "passed", "requests": "passed", "speed": "skipped"}
    assert set(world.workshop.releases.all_evidence(digest("a"))) == {"smoke", "benchmark", "gates"}


def test_documents_alone_build_nothing(world: World) -> None:
    world.changed = ("docs/x.md",)
    assert shipping(before="cd" * 20) == []
    assert world.steps == ["check out"]


def test_what_serves_already_is_not_built_again(world: World) -> None:
    shipping()
    world.steps.clear()
    world.serves = True
    (shipped,) = shipping()
    assert shipped.digest == digest("a")
    assert world.steps == ["check out"]


def test_what_was_built_and_proved_before_is_only_tagged_and_rolled_out(world: World) -> None:
    shipping()
    world.steps.clear()
    shipping()
    assert not {"build", "smoke", "benchmark"} & set(world.steps)
    assert world.steps[-2:] == ["tags", "roll out"]


def test_an_earlier_model_is_found_not_trained(world: World) -> None:
    shipping(model="toy-v0")
    assert "find model" in world.steps
    assert "model" not in world.steps


STEPS_THAT_FAIL: list[tuple[str, SlipwayError, list[str]]] = [
    ("check out", SourceError("no such ref"), ["check out"]),
    ("wheels", UserError("a lock without hashes"), ["check out", "space", *sorted(SIDE_BY_SIDE)]),
    ("build", BuildFailed("RUN make"), WHOLE[:7]),
    ("smoke", SmokeFailed("it crashed"), WHOLE[:8]),
    ("benchmark", SmokeFailed("not ready"), WHOLE[:9]),
    ("tags", RegistryRefused("a protected tag"), WHOLE[:10]),
    ("roll out", RolloutFailed("the preview is silent"), WHOLE),
]


@pytest.mark.parametrize(("step", "failure", "steps"), STEPS_THAT_FAIL, ids=[step for step, _, _ in STEPS_THAT_FAIL])
def test_a_permanent_failure_ends_the_run_there_and_is_not_tried_again(
    world: World, step: str, failure: SlipwayError, steps: list[str]
) -> None:
    world.breaks[step] = [failure]
    with pytest.raises(type(failure)):
        shipping()
    assert world.steps[-1] == "kill children", "nothing may go on after a failed run"
    assert in_order(world.steps[:-1]) == steps


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        ("wheels", IndexUnavailable("503")),
        ("base", IndexUnavailable("503")),
        ("build", RegistryUnavailable("connection refused")),
        ("tags", RegistryUnavailable("503")),
        ("roll out", RouterUnavailable("no socket")),
    ],
)
def test_a_temporary_failure_is_tried_again_and_the_run_completes(
    world: World, step: str, failure: SlipwayError
) -> None:
    world.breaks[step] = [failure, failure]
    (shipped,) = shipping()
    assert shipped.digest == digest("a")
    assert world.steps.count(step) == 3
    assert all(world.steps.count(other) == 1 for other in WHOLE if other != step)


def test_an_outside_that_stays_away_fails_the_run_with_its_own_words(world: World) -> None:
    world.breaks["tags"] = [RegistryUnavailable(f"try {number}") for number in range(20)]
    with pytest.raises(RegistryUnavailable):
        shipping()
    assert world.steps.count("tags") == 7  # once, and six retries
    assert "roll out" not in world.steps


def test_a_failing_gate_is_reported_with_the_others_and_nothing_is_released(world: World) -> None:
    cases = (SmokeCase("one", True, 0.5, None), SmokeCase("two", False, 0.1, None, "too low"))
    world.smoke = SmokeReport(True, False, "cpu", cases)
    with pytest.raises(GateFailed, match="1 of 4 gates failed: smoke: 1 of 2 cases"):
        shipping()
    assert not {"tags", "roll out"} & set(world.steps)
    assert len(world.workshop.releases.all_evidence(digest("a"))["gates"]["verdicts"]) == 4
    assert world.workshop.releases.newest() == ()


def test_a_drawing_that_fails_takes_no_release_with_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.verify.plot.plot_png", world.does("draw", None))
    world.breaks["draw"] = [ValueError("no such font")] * 20
    (shipped,) = shipping()
    assert "draw" in world.steps
    assert shipped.tags == ("main",)
    assert world.workshop.releases.get("toy", digest("a")).facts["gates"]["smoke"] == "passed"


def test_an_unknown_service_or_flavour_is_the_users_mistake(world: World) -> None:
    with pytest.raises(UserError, match="no service 'mego'"):
        shipping(service="mego")
    with pytest.raises(UserError, match="no flavour 'gpu'"):
        shipping(flavour="gpu")
    assert "build" not in world.steps


@pytest.mark.parametrize("failure", [None, SmokeFailed("it crashed")])
def test_however_a_run_ends_no_lease_and_no_folder_stays(world: World, failure: SlipwayError | None) -> None:
    world.breaks["smoke"] = [failure] if failure else []
    try:
        shipping()
    except SmokeFailed:
        assert failure
    work = world.workshop.settings.home / "work"
    assert not work.exists() or list(work.iterdir()) == []
    from tests.unit.values import NOON

    assert world.workshop.leases.leased(NOON) == frozenset()
    assert world.workshop.leases.last_used(), "what was used is known for cleaning up"


def test_a_rollback_without_an_earlier_release_is_refused(world: World) -> None:
    with pytest.raises(RolloutFailed, match="no earlier release"):
        rollback(service="toy")
    assert world.steps == []
