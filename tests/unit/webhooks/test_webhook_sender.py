"""The sender against a Prefect that forgets, dies, dawdles and refuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from deployments.webhook.event_store import PrefectGone, PrefectRefused, PrefectSlow
from deployments.webhook.sender import CONFIRM_WITHIN, INHERITED_WITHIN, MOST_SENDINGS, ON_THE_WAY, Sender
from slipway.errors import PrefectUnavailable
from slipway.ledger.database import open_database
from slipway.ledger.deliveries import create_tables, record
from slipway.ledger.delivery_views import counts, page
from slipway.ledger.outbox import Outgoing
from tests.unit.webhooks.test_webhook_ledger import A, push, verdict

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


class FakePrefect:
    """Keeps events in memory until `flush`; `die` loses what was not flushed. Complains of an id sent while held."""

    def __init__(self) -> None:
        self.memory: dict[UUID, Outgoing] = {}
        self.disk: dict[UUID, Outgoing] = {}
        self.taken: list[UUID] = []
        self.failure: Exception | None = None
        self.poison: set[UUID] = set()
        self.slow_after_taking = False

    def send(self, events: Sequence[Outgoing]) -> None:
        if self.failure:
            raise self.failure
        if self.poison & {one.event_id for one in events}:
            raise PrefectRefused("Prefect answered 422", tail="bad")
        assert not [one for one in events if one.event_id in self.disk], "sent although Prefect stores it"
        self.memory |= {one.event_id: one for one in events}
        self.taken += [one.event_id for one in events]
        if self.slow_after_taking:
            raise PrefectSlow("late")

    def stored(self, events: Sequence[Outgoing]) -> set[UUID]:
        if self.failure:
            raise self.failure
        return {one.event_id for one in events} & set(self.disk)

    def flush(self) -> None:
        self.disk |= self.memory
        self.memory.clear()

    def die(self) -> None:
        self.memory.clear()
        self.failure = PrefectGone("Prefect cannot be reached")


class Rig:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.now, self.prefect = engine, START, FakePrefect()
        self.sender = Sender(engine, self.prefect, lambda: self.now)

    def deliver(self, count: int) -> None:
        with self.engine.begin() as connection:
            for number in range(count):
                event = push(A, f"{number:040x}", ref=f"refs/heads/b{number}")
                record(connection, verdict(event, delivery_id=f"d{number}"), now=self.now)

    def run(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=max(0.05, self.sender.step()))

    @property
    def states(self) -> dict[str, int]:
        with self.engine.connect() as connection:
            return {state: count for (table, state), count in counts(connection).items() if table == "event"}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    create_tables(engine)
    return Rig(engine)


def test_an_event_counts_as_delivered_once_prefect_gives_it_back(rig: Rig) -> None:
    rig.deliver(3)
    rig.run(2)
    assert rig.states == {"sent": 3}
    rig.prefect.flush()
    rig.run(2)
    assert rig.states == {"delivered": 3}


def test_what_died_in_prefects_memory_is_sent_again_and_what_was_stored_is_not(rig: Rig) -> None:
    rig.deliver(2)
    rig.run(1)
    rig.prefect.flush()
    with rig.engine.begin() as connection:
        record(connection, verdict(push(A, "f" * 40), delivery_id="late"), now=rig.now)
    rig.run(0.5)
    assert len(rig.prefect.memory) == 1
    rig.prefect.die()
    rig.run(30)
    assert "delivered" not in rig.states or rig.states["delivered"] < 3
    rig.prefect.failure = None
    rig.run(15)
    rig.prefect.flush()
    rig.run(5)
    assert rig.states == {"delivered": 3}
    assert len(rig.prefect.disk) == 3


def test_prefect_down_for_an_hour_loses_and_doubles_nothing(rig: Rig) -> None:
    rig.prefect.die()
    rig.deliver(250)
    rig.run(3600)
    assert rig.states == {"pending": 250}
    rig.prefect.failure = None
    for _ in range(30):
        rig.run(2)
        rig.prefect.flush()
    assert rig.states == {"delivered": 250}
    assert sorted(rig.prefect.taken) == sorted(set(rig.prefect.taken))


def test_an_answer_that_comes_too_late_is_asked_for_before_anything_is_sent_again(rig: Rig) -> None:
    rig.deliver(5)
    rig.prefect.slow_after_taking = True
    rig.run(2)
    assert rig.states == {"sent": 5}
    rig.prefect.flush()
    rig.run(CONFIRM_WITHIN.total_seconds() * 2)
    assert rig.states == {"delivered": 5}
    assert len(rig.prefect.taken) == 5


def test_no_more_is_on_the_way_than_prefect_can_remember(rig: Rig) -> None:
    rig.deliver(ON_THE_WAY + 200)
    rig.run(10)
    assert rig.states == {"sent": ON_THE_WAY, "pending": 200}


def test_one_refused_event_does_not_hold_up_the_others(rig: Rig) -> None:
    rig.deliver(4)
    with rig.engine.connect() as connection:
        bad = page(connection)[1]["events"][0]["event_id"]
    rig.prefect.poison = {bad}
    rig.run(2)
    assert rig.states == {"sent": 3, "failed": 1}


def test_an_event_that_prefect_never_stores_does_not_start_runs_for_ever(rig: Rig) -> None:
    rig.deliver(1)
    rig.run(CONFIRM_WITHIN.total_seconds() * (MOST_SENDINGS + 2))
    assert rig.states == {"failed": 1}
    assert len(rig.prefect.taken) == MOST_SENDINGS


def test_a_prefect_that_refuses_our_credentials_loses_nothing(rig: Rig) -> None:
    rig.prefect.failure = PrefectUnavailable("Prefect refused our credentials")
    rig.deliver(2)
    rig.run(600)
    assert rig.states == {"pending": 2}
    with rig.engine.connect() as connection:
        assert page(connection)[0]["events"][0]["reason"] == "Prefect refused our credentials"


def test_a_second_sender_after_a_crash_goes_on_where_the_first_was(rig: Rig) -> None:
    rig.deliver(3)
    rig.run(1)
    rig.prefect.flush()
    rig.sender = Sender(rig.engine, rig.prefect, lambda: rig.now)
    rig.run(3)
    assert rig.states == {"delivered": 3}
    assert len(rig.prefect.taken) == 3


def test_a_new_sender_soon_sends_what_died_with_prefect_unseen(rig: Rig) -> None:
    rig.deliver(3)
    rig.run(1)
    rig.prefect.memory.clear()
    rig.sender = Sender(rig.engine, rig.prefect, lambda: rig.now)
    rig.run(INHERITED_WITHIN.total_seconds() + 3)
    assert len(rig.prefect.memory) == 3
    rig.prefect.flush()
    rig.run(3)
    assert rig.states == {"delivered": 3}
