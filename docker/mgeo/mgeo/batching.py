"""Which texts go through the model together. Pure arithmetic on lengths.

A batch costs its padded size, longest text times number of texts; short texts next to long ones waste most of it.
"""

from __future__ import annotations

from collections.abc import Sequence


def choose(lengths: Sequence[int], budget: int) -> list[int]:
    """Indices of one batch: always the oldest (index 0), then its nearest in length that fit *budget*.

    Ascending by length. A first text longer than the budget goes alone.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    low = high = order.index(0)
    while True:
        below = low > 0 and _fits(lengths, order, low - 1, high, budget)
        above = high + 1 < len(order) and _fits(lengths, order, low, high + 1, budget)
        if not (below or above):
            return order[low : high + 1]
        if above and (not below or _closer_above(lengths, order, low, high)):
            high += 1
        else:
            low -= 1


def split(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """All indices in batches sorted by length, each within *budget* padded tokens (a longer text goes alone)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        size = (len(batches[-1]) + 1) * lengths[index] if batches else 0
        if batches and size <= budget and _alike(lengths[batches[-1][0]], lengths[index]):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def fair_budget(waiting_tokens: int, idle_workers: int, budget: int) -> int:
    """What one worker should take so that the other idle ones get their share; a fifth more, for padding."""
    if idle_workers <= 1:
        return budget
    return max(1, min(budget, waiting_tokens * 6 // (5 * idle_workers)))


def _fits(lengths: Sequence[int], order: Sequence[int], low: int, high: int, budget: int) -> bool:
    longest = lengths[order[high]]
    return (high - low + 1) * longest <= budget and _alike(lengths[order[low]], longest)


def _alike(shortest: int, longest: int) -> bool:
    """Beyond this, padding costs more than a batch of its own."""
    return longest <= 2 * shortest + 8


def _closer_above(lengths: Sequence[int], order: Sequence[int], low: int, high: int) -> bool:
    return lengths[order[high + 1]] - lengths[order[high]] < lengths[order[low]] - lengths[order[low - 1]]
