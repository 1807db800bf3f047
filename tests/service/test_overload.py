"""Ten times more than can be done: what is accepted is answered in time, the rest is told to come back later."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mgeo.engines import Matrix, TokenIds
from mgeo.engines.stub import StubEngine
from mgeo.model import load_model

from tests.service.helpers import running, stub_settings


class SlowEngine(StubEngine):
    """About 10,000 tokens per second."""

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        time.sleep(sum(map(len, batch)) / 10_000)
        return super().encode(batch)


async def test_ten_times_overload_refuses_early_and_loses_nothing() -> None:
    settings = stub_settings(serving={"deadline_s": 4, "cache_entries": 0})
    model = replace(load_model(settings), engine=SlowEngine(max_tokens=200))
    count, long = 1_000, "路" * 200  # 400 tokens each, at once: forty seconds of work for a deadline of four
    async with running(settings, model) as (client, state):
        bodies = [{"a": f"{long}{i:05}号", "b": f"{i:05}{long}"} for i in range(count)]
        answers = await asyncio.gather(*(client.post("/similarity", json=body) for body in bodies))
        assert state.matcher is not None
        assert state.matcher.batcher.counts.queued_tokens == 0
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    assert statuses.total() == count
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert all(answer.json()["error"] == "overloaded" for answer in refused)


async def test_the_service_answers_again_after_an_overload() -> None:
    settings = stub_settings(serving={"deadline_s": 1, "cache_entries": 0})
    model = replace(load_model(settings), engine=SlowEngine())
    async with running(settings, model) as (client, _):
        burst = [client.post("/similarity", json={"a": f"文三路{i}号", "b": "世纪大道"}) for i in range(2_000)]
        assert 429 in {answer.status_code for answer in await asyncio.gather(*burst)}
        answer = await client.post("/similarity", json={"a": "文三路", "b": "世纪大道"})
    assert answer.status_code == 200


async def test_a_deadline_that_passes_is_a_504_not_a_hang() -> None:
    settings = stub_settings(serving={"deadline_s": 0.05})
    model = replace(load_model(settings), engine=SlowEngine())
    async with running(settings, model) as (client, _):
        answer = await client.post("/embed", json={"texts": [f"{'路' * 120}{i}" for i in range(50)]})
    assert answer.status_code == 504
    assert answer.json()["error"] == "deadline"
