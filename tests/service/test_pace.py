"""Who is let in when the house is full."""

from __future__ import annotations

import pytest
from mgeo.pace import Pace
from mgeo.problems import Overloaded


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def at_speed(bytes_per_second: float, deadline_s: float = 2) -> tuple[Pace, Clock]:
    clock = Clock()
    pace = Pace(deadline_s, clock)
    for _ in range(40):
        with pace.inside_for(int(bytes_per_second)):
            clock.now += 1
    return pace, clock


def test_an_empty_house_takes_anything() -> None:
    at_speed(100)[0].admit(10**9)


def test_what_would_be_late_is_turned_away_with_the_time_to_come_back() -> None:
    pace, _ = at_speed(100)
    with pace.inside_for(90):
        pace.admit(9)
        with pytest.raises(Overloaded) as refusal:
            pace.admit(20)
    assert refusal.value.retry_after == 1
    pace.admit(20)


def test_time_spent_unseen_counts() -> None:
    pace, _ = at_speed(100)
    with pace.inside_for(50):
        pace.admit(9, waited_s=0.3)
        with pytest.raises(Overloaded):
            pace.admit(9, waited_s=0.5)


def test_a_refusal_says_how_long_the_house_is_full() -> None:
    pace, _ = at_speed(100)
    with pace.inside_for(250):
        assert pace.refusal().retry_after == 3


def test_a_faster_house_takes_more() -> None:
    pace, _ = at_speed(1000)
    with pace.inside_for(150):
        pace.admit(800)


def test_idle_time_does_not_count_as_slow() -> None:
    pace, clock = at_speed(1000)
    clock.now += 3600
    with pace.inside_for(500):
        clock.now += 0.5
    with pace.inside_for(150):
        pace.admit(800)


def test_failures_leave_the_house_but_do_not_make_it_look_fast() -> None:
    pace, clock = at_speed(100)
    with pytest.raises(ValueError, match="x"), pace.inside_for(10_000):  # noqa: PT012 - the failure is inside the block
        clock.now += 1
        raise ValueError("x")
    assert pace.inside == 0
    with pace.inside_for(150), pytest.raises(Overloaded):
        pace.admit(20)


def test_work_that_nobody_waited_for_does_not_make_the_house_look_slow() -> None:
    pace, clock = at_speed(100)
    for _ in range(10):
        with pytest.raises(ValueError, match="left"), pace.inside_for(10_000):  # noqa: PT012 - it happens inside
            clock.now += 1
            pace.forget()
            raise ValueError("left")
    with pace.inside_for(90):
        pace.admit(9)
