"""Is this release faster or slower than the last one? Pure.

Requests that follow one another are not independent: a busy neighbour slows down hundreds of them. A test that takes
each for a witness calls the same image slower every other time on a noisy machine (tried). So a measurement is split
into rounds, spread over time; a round gives one number, its quantile; and the rounds of both releases are compared by
Mann-Whitney's test, turned into the exact interval of the ratio (Hodges and Lehmann 1963). It assumes no shape,
survives single bad rounds, and needs no random numbers. What it cannot see is a machine that is slower all day long:
`tolerance` is for that, or rounds of both releases by turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from slipway.errors import UserError

_EXPECTED_BEYOND = 10

Floats = NDArray[np.float64]
Rounds = Sequence[Sequence[float]]


class Change(StrEnum):
    """Faster or slower by more than the tolerance, surely the same within it, or not to be told."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Comparison:
    """`ratio` is after / before of one quantile, `low`..`high` its interval; below 1 is faster.

    The three numbers are None when there were too few samples or rounds to say anything.
    """

    name: str
    change: Change
    ratio: float | None
    low: float | None
    high: float | None
    why: str


def quantile(samples: Sequence[float], q: float) -> float:
    """The `q` quantile (0..1) with linear interpolation; `UserError` for samples that are no durations."""
    return float(np.quantile(_durations(samples), q))


def samples_needed(q: float) -> int:
    """So many that ten are expected beyond the quantile: 20 for a median, 200 for p95, 1000 for p99."""
    return math.ceil(round(_EXPECTED_BEYOND / min(q, 1 - q), 6))


def compare(
    before: Rounds,
    after: Rounds,
    *,
    q: float = 0.5,
    tolerance: float = 0.05,
    confidence: float = 0.95,
    name: str = "",
) -> Comparison:
    """Compare one quantile of two measurements, each given as the latencies (s) of its rounds, tens at most.

    The same evidence always gives the same verdict, and swapping the two gives the opposite one.
    """
    name = name or f"p{q * 100:g}"
    lack = _lack(before, after, q, confidence)
    if lack:
        return Comparison(name, Change.INCONCLUSIVE, None, None, None, f"{name} needs {lack}")
    ratio, low, high = _ratio_interval(_per_round(before, q), _per_round(after, q), confidence)
    change = judge_interval(low, high, tolerance)
    return Comparison(name, change, ratio, low, high, _why(change, confidence, low, high, tolerance))


def judge_interval(low: float, high: float, tolerance: float) -> Change:
    """Where the interval of after / before lies against the band of what counts as the same."""
    top = 1 + tolerance
    if low > top:
        return Change.SLOWER
    if high < 1 / top:
        return Change.FASTER
    return Change.SAME if low >= 1 / top and high <= top else Change.INCONCLUSIVE


def overall(changes: Iterable[Change]) -> Change:
    """One word for several: any slower is slower; then any doubt is doubt; then any faster is faster."""
    seen = set(changes)
    for change in (Change.SLOWER, Change.INCONCLUSIVE, Change.FASTER):
        if change in seen:
            return change
    return Change.SAME if seen else Change.INCONCLUSIVE


def _durations(samples: Sequence[float]) -> Floats:
    values = np.asarray(samples, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all() or (values <= 0).any():
        raise UserError(
            "latencies must be positive seconds, and at least one of them",
            next_step="look at the benchmark's failures: did every request fail?",
        )
    return values


def _lack(before: Rounds, after: Rounds, q: float, confidence: float) -> str:
    """What is missing for a verdict; empty when nothing is."""
    samples, fewest = samples_needed(q), min(sum(map(len, before)), sum(map(len, after)))
    if fewest < samples:
        return f"{samples} samples of each release, and one has {fewest}"
    if _rank_to_drop(len(before), len(after), confidence) < 0:
        return f"more rounds for {confidence:.1%} confidence than {len(before)} against {len(after)}"
    short = min(map(len, (*before, *after)))
    return "" if short >= 1 / (1 - q) - 1e-9 else f"longer rounds than {short} samples"


def _per_round(rounds: Rounds, q: float) -> Floats:
    return np.array([np.quantile(_durations(one), q) for one in rounds])


def _ratio_interval(old: Floats, new: Floats, confidence: float) -> tuple[float, float, float]:
    """The median of all ratios new/old, and the order statistics of them that hold the true ratio between them."""
    ratios = np.sort(np.subtract.outer(np.log(new), np.log(old)), axis=None)
    drop = _rank_to_drop(len(old), len(new), confidence)
    middle, low, high = np.exp([np.median(ratios), ratios[drop], ratios[-1 - drop]])
    return float(middle), float(low), float(high)


def _rank_to_drop(old: int, new: int, confidence: float) -> int:
    """How many of the sorted ratios may be dropped at each end; -1 when even all of them are not sure enough."""
    allowed = (1 - confidence) / 2 * math.comb(old + new, new)
    total, rank = 0, -1
    for orders in ways(old, new):
        total += orders
        if total > allowed:
            break
        rank += 1
    return rank


@cache
def ways(old: int, new: int) -> tuple[int, ...]:
    """In how many orders of two alike samples Mann-Whitney's U is 0, 1, 2, ...: the Gaussian binomial coefficients."""
    if not old or not new:
        return (1,)
    # the largest value is either an old one, or a new one that is above all `old` others
    without_old, without_new = ways(old - 1, new), (0,) * old + ways(old, new - 1)
    size = old * new + 1
    padded = ((*ways, *(0,) * (size - len(ways))) for ways in (without_old, without_new))
    return tuple(map(sum, zip(*padded, strict=True)))


def _why(change: Change, confidence: float, low: float, high: float, tolerance: float) -> str:
    interval = f"{confidence:.1%} interval {low:.3f} to {high:.3f}"
    if change is Change.INCONCLUSIVE:
        return f"the {interval} crosses the edge of +/-{tolerance:.0%}: measure more rounds or on a quieter machine"
    where = "within" if change is Change.SAME else "beyond"
    return f"the {interval} lies {where} +/-{tolerance:.0%}"
