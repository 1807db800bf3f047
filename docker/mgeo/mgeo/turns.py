"""Lets requests begin in the order they came, a few per round of the event loop.

Without it everything that arrived at once is worked on at once: one round of the loop takes seconds, and what comes in
meanwhile waits unseen, where nobody can refuse it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

_AT_LEAST = 16
_SHARE = 2  # of those who wait, one in so many begins per round: refusing others must not starve the work


class _Waiting(NamedTuple):
    future: asyncio.Future[bool]
    since: float


class Turns:
    """For one event loop. *lag_s* is how long the last round took: so long a request may have waited unseen.

    Who will have waited for *patience_s* by the next round is told so and takes nobody's turn.
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lag_s = 0.0
        self._patience_s = patience_s
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._left = _AT_LEAST
        self._began: float | None = None

    async def take(self, waited_s: float = 0.0) -> bool:
        """Returns True when it is the caller's turn, at once as long as few came before in this round; else False.

        *waited_s* is how long the caller has waited before.
        """
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = self._clock()
            loop.call_soon(self._round)
        if self._left and not self._waiting:
            self._left -= 1
            return True
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(_Waiting(future, self._clock() - waited_s))
        return await future

    def _round(self) -> None:
        now = self._clock()
        was_idle = self._left == _AT_LEAST and not self._waiting
        self.lag_s = 0.0 if was_idle or self._began is None else now - self._began
        self._left = max(_AT_LEAST, len(self._waiting) // _SHARE)
        late = now + self.lag_s - self._patience_s  # to be woken takes a round, too
        while self._waiting and (self._left or self._waiting[0].since < late):
            first = self._waiting.popleft()
            if not first.future.done():
                first.future.set_result(in_time := first.since >= late)
                self._left -= in_time
        self._began = None if was_idle else now
        if not was_idle:
            asyncio.get_running_loop().call_soon(self._round)
