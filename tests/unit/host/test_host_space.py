"""The free-space gate: what it asks for, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.host.space import SpaceDecision, judge_space

GB = 10**9
sizes = st.integers(min_value=0, max_value=10**13)
shares = st.floats(min_value=0.05, max_value=1.0)


@pytest.mark.parametrize(
    ("free", "needed", "expected"),
    [
        (50, 10, SpaceDecision(to_free=0, missing=0)),
        (15, 0, SpaceDecision(to_free=0, missing=0)),
        (14, 0, SpaceDecision(to_free=11, missing=0)),
        (20, 10, SpaceDecision(to_free=15, missing=0)),
        (5, 10, SpaceDecision(to_free=30, missing=5)),
        (0, 90, SpaceDecision(to_free=100, missing=90)),
        (30, 101, SpaceDecision(to_free=0, missing=71)),
    ],
    ids=[
        "room enough",
        "exactly at the high mark",
        "above the high mark already",
        "above the high mark after the build",
        "does not fit without cleaning up",
        "the low mark is out of reach: all of it may go",
        "not even an empty disk would hold it: nothing is lost for it",
    ],
)
def test_space_is_judged_as_it_will_be_after_the_build(free: int, needed: int, expected: SpaceDecision) -> None:
    assert judge_space(free * GB, 100 * GB, needed * GB, 0.85, 0.75) == SpaceDecision(
        expected.to_free * GB, expected.missing * GB
    )


@given(used=sizes, free=sizes, needed=sizes, low=shares, gap=st.floats(min_value=0.0, max_value=0.5))
def test_freeing_what_was_asked_for_ends_at_the_low_mark_or_at_an_empty_disk(
    used: int, free: int, needed: int, low: float, gap: float
) -> None:
    total, high = used + free, min(1.0, low + gap)
    decision = judge_space(free, total, needed, high, low)
    assert 0 <= decision.to_free <= used
    if decision.to_free:
        left = used - decision.to_free + needed
        assert left <= low * total + 1 or decision.to_free == used
        again = judge_space(free + decision.to_free, total, needed, high, low)
        assert again.missing == 0
