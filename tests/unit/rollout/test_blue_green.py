from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import RolloutFailed
from slipway.rollout.blue_green import Slot, SlotState, live_slot, rollback_target, slot_for, to_retire, weights
from tests.unit.values import NOON, digest

LATER = NOON + timedelta(minutes=5)


def state(character: str, *, live: bool = False, retire_at: datetime | None = None) -> SlotState:
    return SlotState(digest(character), f"toy@{character}", live, retire_at)


LIVE, STANDING_BY = state("a", live=True), state("b", retire_at=LATER)


def test_an_empty_environment_starts_with_blue_and_no_traffic() -> None:
    assert slot_for({}) is Slot.BLUE
    assert live_slot({}) is None
    assert weights(None) == {Slot.BLUE: 0, Slot.GREEN: 0}


@pytest.mark.parametrize("live", list(Slot))
def test_the_next_release_goes_beside_the_live_one(live: Slot) -> None:
    slots = {live: LIVE, live.other: STANDING_BY}
    assert slot_for(slots) is live.other
    assert live_slot(slots) is live
    assert weights(live) == {live: 100, live.other: 0}


@given(live=st.sampled_from([None, *Slot]))
def test_at_most_one_slot_has_traffic_and_then_all_of_it(live: Slot | None) -> None:
    assert sorted(weights(live).values()) == ([0, 100] if live else [0, 0])


def test_a_rollback_goes_to_the_release_that_stands_by() -> None:
    assert rollback_target({Slot.GREEN: LIVE, Slot.BLUE: STANDING_BY}) is Slot.BLUE


@pytest.mark.parametrize("slots", [{}, {Slot.BLUE: LIVE}, {Slot.BLUE: STANDING_BY}])
def test_without_an_earlier_release_a_rollback_is_refused(slots: dict[Slot, SlotState]) -> None:
    with pytest.raises(RolloutFailed, match="no earlier release"):
        rollback_target(slots)


@pytest.mark.parametrize(("now", "retired"), [(NOON, ()), (LATER, (Slot.BLUE,)), (LATER + timedelta(1), (Slot.BLUE,))])
def test_a_slot_retires_when_its_delay_has_passed(now: datetime, retired: tuple[Slot, ...]) -> None:
    assert to_retire({Slot.GREEN: LIVE, Slot.BLUE: STANDING_BY}, now) == retired


def test_what_has_the_traffic_never_retires() -> None:
    assert to_retire({Slot.BLUE: state("a", live=True, retire_at=NOON)}, LATER) == ()
