"""Which texts go through the model together. Pure arithmetic on lengths.

A batch costs its padded size, longest text times number of texts, and something for being one. So a text rides along
where the padding it brings costs less than a batch of its own: no more than *spare* tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_OWN_BATCH: Final = 64


def spare_tokens(budget: int) -> int:
    """What a batch costs for being one, where full ones hold *budget* tokens.

    Measured with a small transformer, int8: 4 tokens, with full batches of 256.
    """
    return budget // _OWN_BATCH


def choose(lengths: Sequence[int], budget: int, spare: int) -> list[int]:
    """Indices of one batch: always the oldest (index 0), then its nearest in length that fit *budget*.

    Ascending by length. A first text longer than the budget goes alone.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    low = high = order.index(0)
    while True:
        count, shortest, longest = high - low + 1, lengths[order[low]], lengths[order[high]]
        shorter = lengths[order[low - 1]] if low else None
        longer = lengths[order[high + 1]] if high + 1 < len(order) else None
        below = shorter is not None and _rides(count, longest, shorter, budget, spare)
        above = longer is not None and _rides(count, longest, longer, budget, spare)
        if not (below or above):
            return order[low : high + 1]
        if longer is not None and above and (shorter is None or not below or longer - longest < shortest - shorter):
            high += 1
        else:
            low -= 1


def split(lengths: Sequence[int], budget: int, spare: int) -> list[list[int]]:
    """All indices in batches sorted by length, each within *budget* padded tokens (a longer text goes alone)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and _rides(len(batches[-1]), lengths[batches[-1][-1]], lengths[index], budget, spare):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def fair_budget(waiting_tokens: int, idle_workers: int, budget: int) -> int:
    """What one worker should take so that the other idle ones get their share; a fifth more, for padding."""
    if idle_workers <= 1:
        return budget
    return max(1, min(budget, waiting_tokens * 6 // (5 * idle_workers)))


def _rides(count: int, longest: int, length: int, budget: int, spare: int) -> bool:
    """Whether a text of *length* joins *count* texts up to *longest*: it fits, and brings little padding."""
    padding = count * (length - longest) if length > longest else longest - length
    return (count + 1) * max(length, longest) <= budget and padding <= spare
