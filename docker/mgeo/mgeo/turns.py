"""Lets requests begin in the order they came, a few per round of the event loop.

Without it everything that arrived at once is worked on at once: one round of the loop takes seconds, and what comes in
meanwhile waits unseen, where nobody can refuse it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

_AT_LEAST = 16
_SHARE = 2  # of those who wait, one in so many begins per round: refusing others must not starve the work


class Turns:
    """For one event loop. *lag_s* is how long the last round took: so long a request may have waited unseen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.lag_s = 0.0
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._left = _AT_LEAST
        self._began: float | None = None

    async def take(self) -> None:
        """Returns when it is the caller's turn; at once as long as few came before in this round."""
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = self._clock()
            loop.call_soon(self._round)
        if self._left and not self._waiting:
            self._left -= 1
            return
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _round(self) -> None:
        now = self._clock()
        was_idle = self._left == _AT_LEAST and not self._waiting
        self.lag_s = 0.0 if was_idle or self._began is None else now - self._began
        self._left = max(_AT_LEAST, len(self._waiting) // _SHARE)
        while self._waiting and self._left:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                self._left -= 1
        self._began = None if was_idle else now
        if not was_idle:
            asyncio.get_running_loop().call_soon(self._round)
