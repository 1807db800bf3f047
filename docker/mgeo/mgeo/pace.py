"""Turns work away at the door when what is already inside would make it late. Work is measured in bytes of request."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mgeo.problems import Overloaded

_FIRST_GUESS = 20_000.0  # bytes per second, until measured
_MARGIN = 0.5  # of the deadline: an estimate is not a promise, and refusing others takes time, too
_WINDOW_S = 0.5


class Pace:
    """Knows what is inside and how fast it has been leaving. For one thread."""

    def __init__(self, deadline_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.inside = 0
        self._deadline_s = deadline_s
        self._clock = clock
        self._speed = _FIRST_GUESS
        self._done = 0
        self._busy_s = 0.0
        self._since = 0.0

    def admit(self, size: int, waited_s: float = 0.0) -> None:
        """Raises Overloaded when *size* more could not be done in time; an empty house takes anything.

        *waited_s* is how much of its time is already gone.
        """
        if self.inside and (self.inside + size) / self._speed > _MARGIN * self._deadline_s - waited_s:
            raise Overloaded(max(1, math.ceil(self.inside / self._speed)))

    def check(self, waited_s: float) -> None:
        """Raises Overloaded when the work is still to begin and too much of its time is gone."""
        if waited_s > _MARGIN * self._deadline_s:
            raise Overloaded(max(1, math.ceil(self.inside / self._speed)))

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

    def _tick(self) -> None:
        now = self._clock()
        if self.inside:
            self._busy_s += now - self._since
        self._since = now

    def _measure(self) -> None:
        if self._busy_s >= _WINDOW_S:
            self._speed += 0.5 * (self._done / self._busy_s - self._speed)
            self._speed = max(self._speed, 1.0)
            self._done, self._busy_s = 0, 0.0
