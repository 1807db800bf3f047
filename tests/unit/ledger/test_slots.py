from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from slipway.ledger.slots import Slots
from slipway.rollout.blue_green import Slot, SlotState
from tests.unit.values import NOON, digest

LATER = NOON + timedelta(minutes=5)
BLUE = SlotState(digest("a"), "toy@a", live=True)
GREEN = SlotState(digest("b"), "toy@b", live=False)


@pytest.fixture
def slots(database: sa.Engine) -> Slots:
    return Slots(database)


def test_an_environment_is_empty_until_something_stands_in_it(slots: Slots) -> None:
    assert slots.read("local", "toy") == {}
    slots.occupy("local", "toy", Slot.BLUE, BLUE)
    assert slots.read("local", "toy") == {Slot.BLUE: BLUE}
    assert slots.read("staging", "toy") == {}
    assert slots.read("local", "geo") == {}


def test_occupying_a_slot_replaces_what_stood_there(slots: Slots) -> None:
    slots.occupy("local", "toy", Slot.BLUE, BLUE)
    slots.occupy("local", "toy", Slot.BLUE, GREEN)
    assert slots.read("local", "toy") == {Slot.BLUE: GREEN}


def test_a_switch_moves_the_traffic_and_dates_the_end_of_the_other(slots: Slots) -> None:
    slots.occupy("local", "toy", Slot.BLUE, BLUE)
    slots.occupy("local", "toy", Slot.GREEN, GREEN)
    slots.switch("local", "toy", Slot.GREEN, LATER)
    found = slots.read("local", "toy")
    assert (found[Slot.GREEN].live, found[Slot.GREEN].retire_at) == (True, None)
    assert (found[Slot.BLUE].live, found[Slot.BLUE].retire_at) == (False, LATER)


def test_switching_back_takes_the_end_date_away(slots: Slots) -> None:
    slots.occupy("local", "toy", Slot.BLUE, BLUE)
    slots.occupy("local", "toy", Slot.GREEN, GREEN)
    slots.switch("local", "toy", Slot.GREEN, LATER)
    slots.switch("local", "toy", Slot.BLUE, LATER)
    assert slots.read("local", "toy")[Slot.BLUE] == BLUE


def test_a_switch_leaves_other_environments_and_services_alone(slots: Slots) -> None:
    for where, service in (("local", "toy"), ("staging", "toy"), ("local", "geo")):
        slots.occupy(where, service, Slot.BLUE, BLUE)
    slots.switch("local", "toy", Slot.GREEN, LATER)
    assert [state.live for _, _, _, state in slots.everywhere()] == [True, False, True]


def test_a_vacated_slot_is_empty(slots: Slots) -> None:
    slots.occupy("local", "toy", Slot.BLUE, BLUE)
    slots.vacate("local", "toy", Slot.BLUE)
    assert slots.everywhere() == ()


def test_a_rollout_is_remembered_with_how_it_ended(slots: Slots) -> None:
    row = slots.begin("local", "toy", digest("a"), "blue/green", "run-1", NOON)
    assert [one.status for one in slots.history()] == ["running"]
    slots.finish(row, "failed", "the preview did not answer", LATER)
    (ended,) = slots.history()
    assert (ended.status, ended.reason) == ("failed", "the preview did not answer")
    assert (ended.started_at, ended.finished_at) == (NOON, LATER)


def test_a_rollout_whose_run_died_is_closed_by_the_next_one_there(slots: Slots) -> None:
    slots.begin("local", "toy", digest("a"), "blue/green", "dead", NOON)
    slots.begin("staging", "toy", digest("a"), "blue/green", "elsewhere", NOON)
    slots.begin("local", "toy", digest("b"), "blue/green", "next", LATER)
    assert [(row.environment, row.status, row.finished_at) for row in slots.history()] == [
        ("local", "running", None),
        ("staging", "running", None),
        ("local", "interrupted", LATER),
    ]


def test_the_history_is_newest_first_and_bounded(slots: Slots) -> None:
    for character in "abc":
        slots.finish(slots.begin("local", "toy", digest(character), "rollback", "", NOON), "completed", "", NOON)
    assert [row.digest for row in slots.history(2)] == [digest("c"), digest("b")]
