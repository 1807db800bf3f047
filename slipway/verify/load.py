"""A closed loop of clients that measures a service."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from slipway.verify.http1 import BrokenAnswer, Connection, Target
from slipway.verify.samples import Samples, join_rounds

_KEPT_ERRORS = 5


def measure(
    url: str,
    path: str,
    payloads: Sequence[object],
    *,
    concurrency: int,
    samples: int,
    deadline_s: float,
    warmup: int = 20,
    pairs: int = 1,
) -> Samples:
    """Send `samples` requests by `concurrency` clients, each sending its next one when it has its answer.

    `payloads` (JSON) are sent in turn, so that a cache in the service is measured as it would be hit; none means GET.
    `warmup` requests go first and do not count. At the deadline it returns what it has; a failure is any answer but
    2xx, or none, and its time is not among the latencies. `pairs` is how many pairs one payload holds.
    """
    target = Target.of(url, path)
    requests = [target.request(payload) for payload in payloads] or [target.request(None)]
    loop = _ClosedLoop(target, requests, time.monotonic() + deadline_s)
    return asyncio.run(loop.run(concurrency, samples, warmup, pairs))


def measure_in_rounds(
    url: str,
    path: str,
    payloads: Sequence[object],
    *,
    concurrencies: Sequence[int],
    samples: int,
    deadline_s: float,
    rounds: int = 10,
    pairs: int = 1,
) -> tuple[Samples, ...]:
    """`samples` requests at each concurrency, split into rounds that take turns, so that each sees the same machine.

    Comparing releases needs such rounds; see `statistics`.
    """
    ends = time.monotonic() + deadline_s
    parts: list[list[Samples]] = [[] for _ in concurrencies]
    for _ in range(rounds):
        for found, concurrency in zip(parts, concurrencies, strict=True):
            left = max(ends - time.monotonic(), 0.0)
            share = math.ceil(samples / rounds)
            found.append(
                measure(
                    url,
                    path,
                    payloads,
                    concurrency=concurrency,
                    samples=share,
                    deadline_s=left,
                    warmup=concurrency,
                    pairs=pairs,
                )
            )
    return tuple(join_rounds(found) for found in parts)


@dataclass
class _Tally:
    latencies_s: list[float] = field(default_factory=list)
    failures: int = 0
    errors: dict[str, None] = field(default_factory=dict)

    def fail(self, why: str) -> None:
        self.failures += 1
        if len(self.errors) < _KEPT_ERRORS:
            self.errors[why] = None


@dataclass
class _ClosedLoop:
    target: Target
    requests: list[bytes]
    ends: float
    numbers: count[int] = field(default_factory=count)

    async def run(self, concurrency: int, samples: int, warmup: int, pairs: int) -> Samples:
        await self._phase(concurrency, warmup)
        started = time.perf_counter()
        tally = await self._phase(concurrency, samples)
        return Samples(
            concurrency=concurrency,
            latencies_s=tuple(tally.latencies_s),
            round_sizes=(len(tally.latencies_s),),
            failures=tally.failures,
            errors=tuple(tally.errors),
            wall_s=time.perf_counter() - started,
            pairs_per_request=pairs,
        )

    async def _phase(self, concurrency: int, total: int) -> _Tally:
        tally, tickets = _Tally(), iter(range(total))
        workers = [asyncio.create_task(self._client(tickets, tally)) for _ in range(concurrency)]
        try:
            async with asyncio.timeout(max(self.ends - time.monotonic(), 0)):
                await asyncio.gather(*workers)
        except TimeoutError:
            tally.errors["stopped at the deadline"] = None
        return tally

    async def _client(self, tickets: Iterator[int], tally: _Tally) -> None:
        connection: Connection | None = None
        try:
            for _ in tickets:
                request = self.requests[next(self.numbers) % len(self.requests)]
                started = time.perf_counter()
                connection, why = await attempt(self.target, connection, request)
                if why:
                    tally.fail(why)
                else:
                    tally.latencies_s.append(time.perf_counter() - started)
        finally:
            if connection:
                connection.close()


async def attempt(target: Target, connection: Connection | None, request: bytes) -> tuple[Connection | None, str]:
    """One request on a connection that is still good, else on a new one; why it failed, empty when it did not."""
    try:
        if connection is None or connection.is_stale:
            if connection:
                connection.close()
            connection = await Connection.open(target)
        status = await connection.exchange(request)
    except (OSError, BrokenAnswer) as error:
        if connection:
            connection.close()
        return None, f"{type(error).__name__}: {error}"
    return connection, "" if 200 <= status < 300 else f"status {status}"
