from __future__ import annotations

from datetime import timedelta, timezone

import pytest
import sqlalchemy as sa

from slipway.ledger.leases import Leases
from tests.unit.values import NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def leases(database: sa.Engine) -> Leases:
    return Leases(database)


def test_a_leased_image_is_held_until_its_time_is_over(leases: Leases) -> None:
    leases.take("image", "run", NOON + HOUR, NOON)
    assert leases.leased(NOON) == {"image"}
    assert leases.leased(NOON + HOUR) == {"image"}
    assert leases.leased(NOON + HOUR + timedelta(seconds=1)) == frozenset()


def test_two_holders_hold_an_image_until_both_gave_it_back(leases: Leases) -> None:
    leases.take("image", "first", NOON + HOUR, NOON)
    leases.take("image", "second", NOON + HOUR, NOON)
    leases.give_back("first")
    assert leases.leased(NOON) == {"image"}
    leases.give_back("second")
    assert leases.leased(NOON) == frozenset()


def test_taking_again_extends_the_lease(leases: Leases) -> None:
    leases.take("image", "run", NOON + HOUR, NOON)
    leases.take("image", "run", NOON + 3 * HOUR, NOON + HOUR)
    assert leases.leased(NOON + 2 * HOUR) == {"image"}


def test_the_last_use_outlives_the_lease(leases: Leases) -> None:
    leases.take("image", "run", NOON + HOUR, NOON)
    leases.take("image", "other", NOON + HOUR, NOON + timedelta(minutes=5))
    leases.give_back("run")
    leases.give_back("other")
    assert leases.last_used() == {"image": NOON + timedelta(minutes=5)}


def test_a_lease_from_another_time_zone_ends_at_the_same_instant(leases: Leases) -> None:
    shanghai = timezone(timedelta(hours=8))
    leases.take("image", "run", (NOON + HOUR).astimezone(shanghai), NOON.astimezone(shanghai))
    assert leases.leased(NOON + 2 * HOUR) == frozenset()
