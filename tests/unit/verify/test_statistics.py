"""Comparing two runs' latencies."""

import math
from collections import Counter
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.errors import UserError
from slipway.verify.statistics import (
    Change,
    Comparison,
    compare,
    judge_interval,
    overall,
    quantile,
    samples_needed,
    ways,
)


def interval(found: Comparison) -> tuple[float, float, float]:
    """Ratio and bounds of a comparison that could be made."""
    assert found.ratio is not None
    assert found.low is not None
    assert found.high is not None
    return found.ratio, found.low, found.high


OPPOSITE = {
    Change.FASTER: Change.SLOWER,
    Change.SLOWER: Change.FASTER,
    Change.SAME: Change.SAME,
    Change.INCONCLUSIVE: Change.INCONCLUSIVE,
}
ROUNDS = st.lists(st.lists(st.floats(1e-4, 10), min_size=4, max_size=6), min_size=6, max_size=9)


def rounds(
    seed: int, count: int = 10, size: int = 40, *, factor: float = 1.0, between: float = 0.01
) -> list[list[float]]:
    """Log-normal latencies around 10 ms; `between` is how much whole rounds differ, as on a machine with neighbours."""
    generator = np.random.default_rng(seed)
    shift = generator.normal(size=(count, 1)) * between
    values = 0.01 * factor * np.exp(shift + 0.1 * generator.normal(size=(count, size)))
    return [list(row) for row in values]


@pytest.mark.parametrize(("factor", "change"), [(1.3, Change.SLOWER), (1 / 1.3, Change.FASTER), (1.0, Change.SAME)])
@pytest.mark.parametrize("seed", range(5))
def test_a_real_difference_is_found_and_none_is_not(factor: float, change: Change, seed: int) -> None:
    found = compare(rounds(2 * seed), rounds(2 * seed + 1, factor=factor))
    assert found.change is change
    ratio, low, high = interval(found)
    assert low <= ratio <= high


def test_noise_is_inconclusive_rather_than_a_verdict() -> None:
    found = compare(rounds(1, between=0.5), rounds(2, between=0.5))
    assert found.change is Change.INCONCLUSIVE
    assert "more rounds" in found.why


def test_a_hundred_thousand_requests_do_not_outvote_ten_noisy_rounds() -> None:
    """Requests of one round are no independent witnesses."""
    verdicts = Counter(
        compare(rounds(seed, size=10_000, between=0.3), rounds(seed + 1, size=10_000, between=0.3)).change
        for seed in range(0, 40, 2)
    )
    assert verdicts[Change.SLOWER] + verdicts[Change.FASTER] <= 1


def test_one_bad_round_does_not_make_a_release_slower() -> None:
    bad = rounds(2)
    bad[3] = [latency * 50 for latency in bad[3]]
    assert compare(rounds(1), bad).change is Change.SAME


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says() -> None:
    found = [
        compare(rounds(seed, between=0.2), rounds(seed + 1, between=0.2, factor=1.2), confidence=0.9)
        for seed in range(0, 400, 2)
    ]
    assert sum(low <= 1.2 <= high for _, low, high in map(interval, found)) >= 0.85 * len(found)


@pytest.mark.parametrize(("old", "new"), [(1, 1), (2, 3), (3, 3), (4, 2)])
def test_ranks_are_those_of_mann_whitneys_exact_distribution(old: int, new: int) -> None:
    """Counted by hand: every order in which two alike samples can fall."""
    counts: Counter[int] = Counter()
    for places in combinations(range(old + new), new):
        counts[sum(place - index for index, place in enumerate(places))] += 1
    assert ways(old, new) == tuple(counts[u] for u in range(old * new + 1))


@pytest.mark.parametrize(("q", "needed"), [(0.5, 20), (0.9, 100), (0.95, 200), (0.99, 1000)])
def test_a_far_quantile_needs_more_samples(q: float, needed: int) -> None:
    assert samples_needed(q) == needed
    enough, short = rounds(1, 10, needed // 10), rounds(2, 10, needed // 10 - 1)
    found = compare(enough, short, q=q)
    assert found.change is Change.INCONCLUSIVE
    assert f"needs {needed} samples" in found.why
    assert found.ratio is None
    assert compare(enough, enough, q=q).ratio is not None


@pytest.mark.parametrize(("count", "told"), [(1, False), (3, False), (4, True), (10, True)])
def test_few_rounds_allow_no_verdict_however_many_requests(count: int, told: bool) -> None:
    found = compare(rounds(1, count, 1000), rounds(2, count, 1000, factor=3))
    assert (found.change is Change.SLOWER) == told
    assert told or "more rounds" in found.why


def test_rounds_too_short_for_a_far_quantile_allow_no_verdict() -> None:
    short = rounds(1, 100, 10)
    assert "longer rounds than 10" in compare(short, short, q=0.95).why


@settings(max_examples=50, deadline=None)
@given(ROUNDS, ROUNDS)
def test_swapping_the_releases_gives_the_opposite_verdict(before: list[list[float]], after: list[list[float]]) -> None:
    forth, back = compare(before, after), compare(after, before)
    assert back.change is OPPOSITE[forth.change]
    ratio, low, high = interval(forth)
    assert interval(back) == pytest.approx((1 / ratio, 1 / high, 1 / low))


@settings(max_examples=50, deadline=None)
@given(ROUNDS, ROUNDS, st.floats(0.01, 100))
def test_the_unit_of_time_does_not_matter(before: list[list[float]], after: list[list[float]], unit: float) -> None:
    scaled = [[[value * unit for value in one] for one in run] for run in (before, after)]
    assert compare(*scaled).ratio == pytest.approx(compare(before, after).ratio)


@settings(max_examples=50, deadline=None)
@given(ROUNDS, st.randoms())
def test_the_order_of_rounds_does_not_matter(run: list[list[float]], random: Random) -> None:
    mixed = random.sample(run, len(run))
    assert compare(rounds(1), mixed).ratio == compare(rounds(1), run).ratio


@settings(max_examples=50, deadline=None)
@given(ROUNDS)
def test_a_run_against_itself_is_never_faster_or_slower(run: list[list[float]]) -> None:
    found = compare(run, run)
    _, low, high = interval(found)
    assert low <= 1 <= high
    assert found.change in (Change.SAME, Change.INCONCLUSIVE)


@given(st.floats(0.01, 100), st.floats(1, 10), st.floats(0, 0.5))
def test_an_interval_has_one_verdict_and_its_mirror_the_opposite(low: float, width: float, tolerance: float) -> None:
    found = judge_interval(low, low * width, tolerance)
    if found in (Change.SLOWER, Change.FASTER):
        assert (low > 1) if found is Change.SLOWER else (low * width < 1)
    if found is Change.SAME:
        assert low <= 1 + tolerance
        assert low * width >= 1 / (1 + tolerance)


@pytest.mark.parametrize(
    ("low", "high", "change"),
    [
        (1.06, 1.2, Change.SLOWER),
        (1.04, 1.2, Change.INCONCLUSIVE),
        (0.5, 2.0, Change.INCONCLUSIVE),
        (0.96, 1.04, Change.SAME),
        (1.01, 1.04, Change.SAME),
        (0.8, 0.94, Change.FASTER),
        (0.8, 0.97, Change.INCONCLUSIVE),
    ],
)
def test_verdicts_of_intervals(low: float, high: float, change: Change) -> None:
    assert judge_interval(low, high, 0.05) is change


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (["same", "slower", "faster"], "slower"),
        (["faster", "inconclusive"], "inconclusive"),
        (["faster", "same"], "faster"),
        (["same", "same"], "same"),
        ([], "inconclusive"),
    ],
)
def test_one_word_for_several(changes: list[str], word: str) -> None:
    assert overall(Change(one) for one in changes) == word


@pytest.mark.parametrize("broken", [[], [0.1, 0.0], [0.1, -1.0], [math.nan], [math.inf]])
def test_what_is_no_duration_is_refused(broken: list[float]) -> None:
    with pytest.raises(UserError, match="positive seconds"):
        quantile(broken, 0.5)


@given(st.lists(st.floats(1e-4, 10), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_lies_within_the_samples(samples: list[float], q: float) -> None:
    assert min(samples) * 0.999 <= quantile(samples, q) <= max(samples) * 1.001
