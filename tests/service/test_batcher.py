"""The queue under load, deadlines, departures and failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from mgeo.batcher import Batcher
from mgeo.engines import Matrix, TokenIds
from mgeo.engines.stub import StubEngine
from mgeo.problems import DeadlineExceeded, Overloaded, Stopping


class GatedEngine(StubEngine):
    """Works only while the gate is open; remembers what it was given."""

    def __init__(self, workers: int = 1) -> None:
        super().__init__()
        self.workers = workers
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[TokenIds]] = []

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        self.batches.append(list(batch))
        self.entered.set()
        assert self.gate.wait(20)
        return super().encode(batch)


@asynccontextmanager
async def batching(engine: StubEngine, **limits: Any) -> AsyncIterator[Batcher]:
    batcher = Batcher(engine, **{"batch_tokens": 64, "queue_tokens": 1000, "deadline_s": 10, **limits})
    batcher.start()
    yield batcher
    if isinstance(engine, GatedEngine):
        engine.gate.set()
    await batcher.stop()


async def test_vectors_come_back_in_the_order_of_the_texts() -> None:
    engine = StubEngine()
    texts = [f"{'路' * (i * 7 % 50)}{i}" for i in range(300)]
    tokens = engine.tokenize(texts)
    async with batching(engine, queue_tokens=100_000) as batcher:
        vectors = await batcher.encode(tokens)
    alone = [engine.encode([ids])[0] for ids in tokens]
    assert np.allclose(np.asarray(vectors), np.asarray(alone))


async def test_texts_of_many_callers_share_batches() -> None:
    engine = GatedEngine()
    async with batching(engine) as batcher:
        first = asyncio.create_task(batcher.encode([[0] * 4]))
        await asyncio.to_thread(engine.entered.wait, 10)
        callers = [asyncio.create_task(batcher.encode([[i] * 4])) for i in range(17)]
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *callers)
    assert [len(batch) for batch in engine.batches] == [1, 16, 1]


async def test_a_few_texts_do_not_wait_for_many_that_came_before() -> None:
    engine = GatedEngine()
    many, few = [[1] * 8] * 100, [[2] * 8] * 2  # eight fit a batch
    async with batching(engine) as batcher:
        asking = [asyncio.create_task(batcher.encode([[0] * 4]))]
        await asyncio.to_thread(engine.entered.wait, 10)
        asking += [asyncio.create_task(batcher.encode(texts)) for texts in (many, few)]
        await asyncio.sleep(0.05)
        engine.gate.set()
        answers = await asyncio.gather(*asking)
    assert [len(answer) for answer in answers] == [1, 100, 2]
    assert [2] * 8 not in [text for batch in engine.batches[3:] for text in batch]


async def test_a_full_queue_refuses_before_queueing_and_says_when_to_come_back() -> None:
    engine = GatedEngine()
    async with batching(engine, queue_tokens=50) as batcher:
        first = asyncio.create_task(batcher.encode([[1] * 40]))
        await asyncio.to_thread(engine.entered.wait, 10)
        second = asyncio.create_task(batcher.encode([[2] * 40]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refusal:
            await batcher.encode([[3] * 40])
        assert refusal.value.retry_after >= 1
        assert batcher.counts.queued_tokens == 40
        engine.gate.set()
        assert len(await first) == len(await second) == 1


async def test_what_cannot_be_done_in_time_is_refused() -> None:
    engine = GatedEngine()
    async with batching(engine, queue_tokens=10**9, deadline_s=1) as batcher:
        tasks = [asyncio.create_task(batcher.encode([[1] * 1000])) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await batcher.encode([[1] * 5_000])
        engine.gate.set()
        await asyncio.gather(*tasks)


async def test_work_that_is_too_late_ends_with_the_deadline() -> None:
    engine = GatedEngine()
    async with batching(engine, deadline_s=0.05) as batcher:
        with pytest.raises(DeadlineExceeded):
            await batcher.encode([[1, 2]])


async def test_work_of_a_caller_who_left_is_dropped() -> None:
    engine = GatedEngine()
    async with batching(engine) as batcher:
        held = asyncio.create_task(batcher.encode([[1]]))
        await asyncio.to_thread(engine.entered.wait, 10)
        leaver = asyncio.create_task(batcher.encode([[7] * 5] * 3))
        await asyncio.sleep(0)
        leaver.cancel()
        stayer = asyncio.create_task(batcher.encode([[9] * 5]))
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(held, stayer)
        assert not [ids for batch in engine.batches for ids in batch if 7 in ids]
        assert batcher.counts.dropped == 3
        assert batcher.counts.queued_tokens == 0


async def test_a_failing_engine_fails_its_callers_and_nobody_else() -> None:
    class Fragile(StubEngine):
        def encode(self, batch: Sequence[TokenIds]) -> Matrix:
            if any(13 in ids for ids in batch):
                raise RuntimeError("unlucky")
            return super().encode(batch)

    async with batching(Fragile(), batch_tokens=2) as batcher:
        with pytest.raises(RuntimeError, match="unlucky"):
            await batcher.encode([[13, 13]])
        assert len(await batcher.encode([[1, 2]])) == 1


async def test_a_stopping_batcher_finishes_what_it_has_and_takes_no_more() -> None:
    engine = GatedEngine()
    async with batching(engine) as batcher:
        working = asyncio.create_task(batcher.encode([[1]]))
        await asyncio.to_thread(engine.entered.wait, 10)
        waiting = asyncio.create_task(batcher.encode([[2]]))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0)
        with pytest.raises(Stopping):
            await batcher.encode([[3]])
        assert not stopping.done()
        engine.gate.set()
        assert len(await working) == len(await waiting) == 1
        await stopping
        assert not any(thread.is_alive() for thread in batcher._threads)


async def test_a_request_bigger_than_the_queue_is_taken_when_nothing_waits() -> None:
    async with batching(StubEngine(), queue_tokens=10) as batcher:
        assert len(await batcher.encode([[1] * 30])) == 1


async def test_an_instant_engine_is_asked_on_the_spot_and_a_slow_one_is_not() -> None:
    class Noting(StubEngine):
        def __init__(self, pretended_s: float) -> None:
            super().__init__()
            self.threads: list[str] = []
            self.now, self._pretended_s = 0.0, pretended_s

        def encode(self, batch: Sequence[TokenIds]) -> Matrix:
            self.now += self._pretended_s
            self.threads.append(threading.current_thread().name)
            return super().encode(batch)

    for pretended_s, elsewhere in ((0.00001, 1), (0.1, 100)):
        engine = Noting(pretended_s)
        async with batching(engine, clock=lambda engine=engine: engine.now) as batcher:
            for _ in range(100):
                await batcher.encode([[1, 2, 3]])
        assert len([name for name in engine.threads if name.startswith("encode-")]) >= elsewhere
        assert (threading.main_thread().name in engine.threads) == (elsewhere == 1)
