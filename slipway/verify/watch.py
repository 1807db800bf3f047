"""A steady load in the background that watches a service while something changes: how many requests failed?"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from slipway.errors import DeadlineExceeded
from slipway.verify.http1 import Connection, Target
from slipway.verify.load import attempt

_IDLE_S = 1.0  # a server may hang up on an older connection just as we send, which is nobody's failure
_KEPT_ERRORS = 20
_POLL_S = 0.01


@dataclass(frozen=True)
class LoadReport:
    """Counts so far; `slowest_s` counts from when a request was due, so that a pause of the service shows."""

    answered: int
    failed: int
    slowest_s: float
    errors: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether requests were answered and none failed."""
        return self.answered > 0 and self.failed == 0


class LoadGenerator:
    """Sends `rate_per_s` requests a second, whether or not the earlier ones are answered, until the block ends.

    A failure is any answer but 2xx, a broken connection, or no answer within `deadline_s`; nothing is tried again.
    `keep_alive=False` opens a connection for each request.
    """

    def __init__(
        self,
        url: str,
        path: str,
        payload: object | None = None,
        *,
        rate_per_s: float = 50.0,
        deadline_s: float = 5.0,
        keep_alive: bool = True,
    ) -> None:
        self._target = Target.of(url, path)
        self._request = self._target.request(payload, keep_alive=keep_alive)
        self._keep_alive = keep_alive
        self._rate_per_s, self._deadline_s = rate_per_s, deadline_s
        self._idle: deque[tuple[float, Connection]] = deque()
        self._stop = threading.Event()
        self._answered, self._failed, self._slowest_s = 0, 0, 0.0
        self._errors: deque[str] = deque(maxlen=_KEPT_ERRORS)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(self._deadline_s + 5)

    @property
    def report(self) -> LoadReport:
        """What happened so far; complete after the block, when every request has its answer or its failure."""
        return LoadReport(self._answered, self._failed, self._slowest_s, tuple(self._errors))

    def wait_for_more(self, requests: int, *, deadline_s: float = 30.0) -> None:
        """Return when that many more requests were answered or failed."""
        goal, ends = self._answered + self._failed + requests, time.monotonic() + deadline_s
        while self._answered + self._failed < goal:
            if time.monotonic() > ends or not self._thread.is_alive():
                raise DeadlineExceeded(
                    f"the load generator did not finish {requests} requests within {deadline_s:g} s",
                    next_step="is the machine overloaded, or the load generator not started?",
                )
            self._stop.wait(_POLL_S)

    async def _run(self) -> None:
        started, sent, running = time.monotonic(), 0, set[asyncio.Task[None]]()
        while not self._stop.is_set():
            due = started + sent / self._rate_per_s
            await asyncio.sleep(max(due - time.monotonic(), 0))
            task = asyncio.create_task(self._one(due))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        await asyncio.gather(*running)
        while self._idle:
            self._idle.pop()[1].close()

    async def _one(self, due: float) -> None:
        connection = self._connection()
        try:
            async with asyncio.timeout(self._deadline_s):
                connection, why = await attempt(self._target, connection, self._request)
        except TimeoutError:
            if connection:
                connection.close()
            connection, why = None, f"no answer within {self._deadline_s:g} s"
        if connection and self._keep_alive and not connection.is_stale:
            self._idle.append((time.monotonic(), connection))
        elif connection:
            connection.close()
        self._slowest_s = max(self._slowest_s, time.monotonic() - due)
        if why:
            self._errors.append(why)
            self._failed += 1
        else:
            self._answered += 1

    def _connection(self) -> Connection | None:
        """The connection used last, if it is fresh enough to be trusted; older ones are hung up."""
        while self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() - since < _IDLE_S and not connection.is_stale:
                return connection
            connection.close()
        return None
