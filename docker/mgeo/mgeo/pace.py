"""Turns work away at the door when what is already inside would make it late. Work is measured in bytes of request."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mgeo.problems import Overloaded

_FIRST_GUESS = 100_000.0  # bytes per second, until measured; a slow model's queue knows better after its first batch
_MARGIN = 0.5  # of the deadline: an estimate is not a promise, and refusing others takes time, too
_WINDOW_S = 0.5


class Pace:
    """Knows what is inside and how fast it has been leaving. For one thread.

    *patience_s* is how long work may wait before it begins.
    """

    def __init__(self, deadline_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.inside = 0
        self.patience_s = _MARGIN * deadline_s
        self._clock = clock
        self._speed = _FIRST_GUESS
        self._done = 0
        self._busy_s = 0.0
        self._since = 0.0

    def admit(self, size: int, waited_s: float = 0.0) -> None:
        """Raises Overloaded when *size* more could not be done in time; an empty house takes anything.

        *waited_s* is how much of its time is already gone.
        """
        if self.inside and (self.inside + size) / self._speed > self.patience_s - waited_s:
            raise self.refusal()

    def refusal(self) -> Overloaded:
        """With the seconds that what is inside will take."""
        return Overloaded(max(1, math.ceil(self.inside / self._speed)))

    @contextmanager
    def inside_for(self, size: int) -> Iterator[None]:
        """Counts *size* as inside while the block runs; what ends with an error says nothing about speed."""
        self._tick()
        self.inside += size
        try:
            yield
            self._done += size
        finally:
            self._tick()
            self.inside -= size
            self._measure()

    def forget(self) -> None:
        """What was measured last took time without being finished, because nobody waited for it any more."""
        self._done, self._busy_s, self._since = 0, 0.0, self._clock()

    def _tick(self) -> None:
        now = self._clock()
        if self.inside:
            self._busy_s += now - self._since
        self._since = now

    def _measure(self) -> None:
        if self._busy_s >= _WINDOW_S:
            self._speed += 0.5 * (self._done / self._busy_s - self._speed)
            self._speed = max(self._speed, 1.0)
            self.forget()
