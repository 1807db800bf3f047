"""What one measurement of a service gave. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

_KEPT_ERRORS = 5


class Samples(BaseModel):
    """Latencies of the successful requests in seconds, in the order they ended; failures are counted apart.

    `round_sizes` says how many of them each round gave; `errors` are a few distinct reasons of failures; `wall_s` is
    the whole measurement without its warm-up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: PositiveInt
    latencies_s: tuple[PositiveFloat, ...]
    round_sizes: tuple[NonNegativeInt, ...]
    failures: NonNegativeInt = 0
    errors: tuple[str, ...] = ()
    wall_s: NonNegativeFloat
    pairs_per_request: PositiveInt = 1

    @property
    def rounds(self) -> tuple[tuple[float, ...], ...]:
        """The latencies of each round; a round in which nothing was answered is left out."""
        edges = pairwise(accumulate(self.round_sizes, initial=0))
        return tuple(self.latencies_s[begin:end] for begin, end in edges if end > begin)

    @property
    def pairs_per_s(self) -> float:
        """Pairs answered per second over the whole measurement."""
        return len(self.latencies_s) * self.pairs_per_request / self.wall_s if self.wall_s else 0.0


def join_rounds(rounds: Sequence[Samples]) -> Samples:
    """Several measurements of the same load as the rounds of one."""
    first = rounds[0]
    return Samples(
        concurrency=first.concurrency,
        latencies_s=tuple(latency for one in rounds for latency in one.latencies_s),
        round_sizes=tuple(size for one in rounds for size in one.round_sizes),
        failures=sum(one.failures for one in rounds),
        errors=tuple(dict.fromkeys(error for one in rounds for error in one.errors))[:_KEPT_ERRORS],
        wall_s=sum(one.wall_s for one in rounds),
        pairs_per_request=first.pairs_per_request,
    )
