"""A client that leaves takes its work out of the queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mgeo.api import create_app
from mgeo.engines import Matrix, TokenIds
from mgeo.engines.stub import StubEngine
from mgeo.model import load_model
from mgeo.server import start_matcher
from mgeo.state import State

from tests.service.helpers import stub_settings

_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/embed",
    "raw_path": b"/embed",
    "query_string": b"",
    "root_path": "",
    "headers": [],
    "client": ("c", 1),
    "server": ("s", 1),
}


class GatedEngine(StubEngine):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.entered, self.seen = threading.Event(), threading.Event(), 0

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        self.seen += len(batch)
        self.entered.set()
        assert self.gate.wait(20)
        return super().encode(batch)


async def test_work_of_a_client_that_left_is_never_done() -> None:
    settings, state, engine = stub_settings(), State(), GatedEngine()
    matcher = start_matcher(settings, replace(load_model(settings), engine=engine))
    state.becomes_ready(matcher)
    app = create_app(settings, state)
    sent: list[Any] = []

    async def ask(body: bytes, leaves: asyncio.Event) -> None:
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(dict(_SCOPE), receive, send)

    stays, leaves = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(ask('{"texts": ["文三路"]}'.encode(), stays))
    await asyncio.to_thread(engine.entered.wait, 10)
    second = asyncio.create_task(ask('{"texts": ["一", "二", "三"]}'.encode(), leaves))
    while not matcher.batcher.counts.queued_tokens:
        await asyncio.sleep(0.001)
    leaves.set()
    await second
    engine.gate.set()
    await first
    while matcher.batcher.counts.queued_tokens:
        await asyncio.sleep(0.001)
    await matcher.stop()
    assert engine.seen == 1
    assert matcher.batcher.counts.dropped == 3
    assert {m["status"] for m in sent if "status" in m} == {200, 499}
