"""Ten times more than can be done: what is accepted is answered in time, the rest is told to come back later."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mgeo.answering import Answering, Door
from mgeo.engines import Matrix, TokenIds
from mgeo.engines.stub import StubEngine
from mgeo.matcher import Matcher
from mgeo.metrics import Metrics
from mgeo.model import load_model
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

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


async def test_what_is_too_large_for_the_time_left_is_refused_before_it_is_read() -> None:
    settings = stub_settings(serving={"deadline_s": 2})
    async with running(settings) as (_, state):
        answering = Answering(state, Metrics(state), deadline_s=2, log_addresses=False)
        end, reached = asyncio.Event(), []

        async def work(_: Matcher, body: bytes) -> object:
            await end.wait()
            return len(body)

        async def behind_the_door(request: Request) -> Response:
            reached.append(request.scope["headers"])
            return Response()

        embed = answering.endpoint("embed", work)
        inside = asyncio.create_task(embed(_post(98_000)))  # of the 100 kB that a new service thinks it can do in time
        await asyncio.sleep(0.01)
        door, sent = Door(Response("elsewhere", 404), answering, {"similarity": behind_the_door}), list[Message]()

        async def send(message: Message) -> None:
            sent.append(message)

        for size in (100, 5_000):
            request = _post(size)
            await door(request.scope, request.receive, send)
        end.set()
        assert (await inside).status_code == 200
    assert reached == [[(b"content-length", b"100")]]
    assert [message["status"] for message in sent if "status" in message] == [200, 429]


async def test_whose_turn_never_came_is_refused_and_not_timed_out() -> None:
    settings = stub_settings(serving={"deadline_s": 0.05})
    async with running(settings) as (_, state):

        async def work(_: Matcher, __: bytes) -> object:
            await asyncio.sleep(0)
            time.sleep(0.01)  # those who begin at once hold the loop longer than the others' deadline
            return None

        answering = Answering(state, Metrics(state), deadline_s=0.05, log_addresses=False)
        similarity = answering.endpoint("similarity", work)
        answers = await asyncio.gather(*(similarity(_post(1)) for _ in range(100)))
    assert Counter(answer.status_code for answer in answers) == {200: 16, 429: 84}


def _post(size: int) -> Request:
    messages = [{"type": "http.request", "body": b" " * size}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()  # the client stays
        return messages.pop()

    headers = [(b"content-length", str(size).encode())]
    return Request({"type": "http", "method": "POST", "path": "/similarity", "headers": headers}, receive)
