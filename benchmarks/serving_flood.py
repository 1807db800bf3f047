"""An open loop: requests go out when they are due, whether earlier ones were answered or not. Prints what came back.

    python serving_flood.py PORT RATE SECONDS CONNECTIONS SEED

Its own process, raw protocols: it must never be what is slow. A request is timed from the moment it was due. One that
is due while every connection waits for an answer is not sent, and counted: the rate offered was lower then.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serving_load import make_pairs, request

_PATIENCE_S = 30.0
_TICK_S = 0.001


@dataclass
class Came:
    """*accepted_s* of the 200s, from when they were due; *statuses* of all answers; the rest in requests."""

    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    late_s: list[float] = field(default_factory=list)
    """How much after its time each request really went out: the generator's own fault, or the machine's."""
    sent: int = 0
    unsent: int = 0
    lost: int = 0


class _Connection(asyncio.Protocol):
    """One request at a time; *free* is told when the answer is there."""

    def __init__(self, came: Came, free: Callable[[_Connection], None]) -> None:
        self._came, self._free = came, free
        self._buffer = b""
        self._due: float | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._free(self)

    def send(self, content: bytes, due: float) -> None:
        assert self._transport
        self._due = due
        self._came.sent += 1
        self._came.late_s.append(asyncio.get_running_loop().time() - due)
        self._transport.write(content)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or len(rest) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        assert self._due is not None
        self._take(head.split(b" ", 2)[1].decode(), asyncio.get_running_loop().time() - self._due)
        self._buffer, self._due = b"", None
        self._free(self)

    def _take(self, status: str, seconds: float) -> None:
        self._came.statuses[status] += 1
        if status in ("200", "429"):
            (self._came.accepted_s if status == "200" else self._came.refused_s).append(seconds)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._came.lost += self._due is not None

    def end(self) -> None:
        """A request that is still unanswered is lost."""
        assert self._transport
        self._transport.close()


async def flood(port: int, requests: list[bytes], rate: float, seconds: float, connections: int) -> Came:
    loop, came, idle = asyncio.get_running_loop(), Came(), deque[_Connection]()
    opened = [
        (await loop.create_connection(lambda: _Connection(came, idle.append), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    began, total = loop.time(), int(rate * seconds)
    for number in range(total):
        due = began + number / rate
        while loop.time() < due:
            await asyncio.sleep(_TICK_S)
        if number % 64 == 0:
            await asyncio.sleep(0)  # answers are read also when the schedule leaves no pause
        if idle:
            idle.popleft().send(requests[number % len(requests)], due)
        else:
            came.unsent += 1
    while len(idle) < connections and loop.time() < began + seconds + _PATIENCE_S:
        await asyncio.sleep(0.05)
    for connection in opened:
        connection.end()
    await asyncio.sleep(0.1)
    return came


def main() -> None:
    port, rate, seconds, connections, seed = sys.argv[1:]
    pairs = make_pairs(20_000)[int(seed) * 5_000 :]
    requests = [request("/similarity", {"a": a, "b": b}) for a, b in pairs]
    print(json.dumps(vars(asyncio.run(flood(int(port), requests, float(rate), float(seconds), int(connections))))))


if __name__ == "__main__":
    main()
