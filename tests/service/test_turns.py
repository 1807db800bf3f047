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
    assert set(await _all(Turns(10), 16)) == {0}


async def test_a_crowd_begins_over_several_rounds_first_come_first() -> None:
    began = await _all(Turns(10), 400)
    assert began == sorted(began)
    assert len(set(began)) > 4
    assert max(began.count(number) for number in began) <= 200


async def test_those_who_left_take_nobodys_turn() -> None:
    turns = Turns(10)
    tasks = [asyncio.create_task(turns.take()) for _ in range(200)]
    await asyncio.sleep(0)
    for task in tasks[16:-1]:
        task.cancel()
    await asyncio.wait_for(tasks[-1], 10)


async def test_a_slow_round_is_seen_and_forgotten_when_nothing_is_left() -> None:
    now = 0.0
    turns = Turns(10, lambda: now)
    await turns.take()
    now = 3.0
    await asyncio.sleep(0)
    assert turns.lag_s == 3.0
    await asyncio.sleep(0)
    assert turns.lag_s == 0.0


async def test_who_waited_too_long_takes_nobodys_turn() -> None:
    now = 0.0
    turns = Turns(1, lambda: now)
    early = [asyncio.create_task(turns.take()) for _ in range(400)]
    await asyncio.sleep(0)
    now = 1.5
    later = [asyncio.create_task(turns.take()) for _ in range(400)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [task.result() for task in early] == [True] * 16 + [False] * 384
    assert not any(task.done() and not task.result() for task in later)
    for task in later:
        task.cancel()


async def test_who_would_wait_too_long_until_the_next_round_is_told_at_once() -> None:
    now = 0.0
    turns = Turns(1, lambda: now)
    tasks = [asyncio.create_task(turns.take()) for _ in range(400)]
    await asyncio.sleep(0)
    now = 0.6
    for _ in range(3):
        await asyncio.sleep(0)
    assert [task.result() for task in tasks] == [True] * 16 + [False] * 384


async def test_time_waited_before_counts() -> None:
    turns = Turns(1, lambda: 0.0)
    tasks = [asyncio.create_task(turns.take(waited_s=2.0)) for _ in range(400)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [task.result() for task in tasks] == [True] * 16 + [False] * 384
