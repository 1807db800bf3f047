"""Who begins when many come at once."""

from __future__ import annotations

import asyncio

from mgeo.turns import Turns


async def _all(turns: Turns, count: int) -> list[int]:
    """In which round of the loop each began, in the order they came."""
    rounds, began = 0, [-1] * count

    async def one(number: int) -> None:
        await turns.take()
        began[number] = rounds

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        rounds += 1
    return began


async def test_a_few_begin_at_once() -> None:
    assert set(await _all(Turns(), 16)) == {0}


async def test_a_crowd_begins_over_several_rounds_first_come_first() -> None:
    began = await _all(Turns(), 400)
    assert began == sorted(began)
    assert len(set(began)) > 4
    assert max(began.count(number) for number in began) <= 200


async def test_those_who_left_take_nobodys_turn() -> None:
    turns = Turns()
    tasks = [asyncio.create_task(turns.take()) for _ in range(200)]
    await asyncio.sleep(0)
    for task in tasks[16:-1]:
        task.cancel()
    await asyncio.wait_for(tasks[-1], 10)


async def test_a_slow_round_is_seen_and_forgotten_when_nothing_is_left() -> None:
    now = 0.0
    turns = Turns(lambda: now)
    await turns.take()
    now = 3.0
    await asyncio.sleep(0)
    assert turns.lag_s == 3.0
    await asyncio.sleep(0)
    assert turns.lag_s == 0.0
