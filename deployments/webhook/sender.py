"""Drains the outbox into Prefect: every event once, whatever dies in between.

Prefect answers 2xx when an event is in its memory, some seconds before it is in its database, and drops events silently
when its queue is full. So an event only counts as delivered once Prefect gives it back, few are on their way at a time,
and whatever may be there already is asked for before it is sent again. (Prefect's SQLite store loses a whole batch of
events when one of them is there twice.)
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from deployments.webhook.event_store import EventStore, PrefectGone, PrefectRefused, PrefectSlow
from slipway.errors import PrefectUnavailable
from slipway.ledger.outbox import (
    Outgoing,
    due,
    mark_delivered,
    mark_failed,
    mark_sent,
    postpone,
    requeue_sent,
    unconfirmed,
)

logger = logging.getLogger(__name__)

BATCH = 100
ON_THE_WAY = 400
"""Prefect's queue holds 10,000 events and remembers the last 1,000 ids: stay well below both."""
CONFIRM_EVERY_S = 1.0
CONFIRM_WITHIN = timedelta(seconds=120)
"""Prefect writes its events every 5 s; a busy one takes longer."""
INHERITED_WITHIN = timedelta(seconds=15)
"""What an earlier sender sent: Prefect may have died unseen since then."""
MOST_SENDINGS = 5
IDLE_S = 0.2
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


class Sender:
    """One outbox, one Prefect."""

    def __init__(self, engine: sa.Engine, store: EventStore, clock: Callable[[], datetime] = _now) -> None:
        self._engine, self._store, self._clock = engine, store, clock
        self._backoff_s = 0.0
        self._started = self._confirm_at = clock()

    def step(self) -> float:
        """Confirm and send what there is; the seconds to wait until the next step."""
        try:
            moved = self._confirm() + self._send()
        except PrefectUnavailable as failure:
            return self._back_off(failure)
        if self._backoff_s:
            logger.warning("Prefect answers again")
        self._backoff_s = 0.0
        return 0.0 if moved else IDLE_S

    def _back_off(self, failure: PrefectUnavailable) -> float:
        if isinstance(failure, PrefectGone):
            with self._engine.begin() as connection:
                requeue_sent(connection, sent_before=self._clock())
        if not self._backoff_s:
            logger.warning("%s; events wait in the ledger", failure.what)
        self._backoff_s = min(LONGEST_BACKOFF_S, self._backoff_s * 2 or FIRST_BACKOFF_S)
        return self._backoff_s * random.uniform(0.8, 1.2)

    def _confirm(self) -> int:
        """Ask for what was sent; how many events Prefect gave back."""
        if self._clock() < self._confirm_at:
            return 0
        self._confirm_at = self._clock() + timedelta(seconds=CONFIRM_EVERY_S)
        with self._engine.connect() as connection:
            waiting = unconfirmed(connection, limit=ON_THE_WAY)
        confirmed = len(self._settle(waiting))
        now = self._clock()
        overdue = max(now - CONFIRM_WITHIN, min(self._started, now - INHERITED_WITHIN))
        with self._engine.begin() as connection:
            if lost := requeue_sent(connection, sent_before=overdue):
                logger.warning("Prefect took %d events and did not store them; they are sent again", lost)
        return confirmed

    def _settle(self, events: list[Outgoing]) -> set[int]:
        """Mark as delivered what Prefect stores; the rows of these."""
        if not events:
            return set()
        stored = self._store.stored(events)
        ids = {one.id for one in events if one.event_id in stored}
        with self._engine.begin() as connection:
            mark_delivered(connection, ids, now=self._clock())
        return ids

    def _send(self) -> int:
        """Send the next batch; how many events left."""
        with self._engine.connect() as connection:
            room = ON_THE_WAY - len(unconfirmed(connection, limit=ON_THE_WAY))
            batch = due(connection, now=self._clock(), limit=min(BATCH, room)) if room > 0 else []
        if not batch:
            return 0
        settled = self._settle([one for one in batch if one.attempts])
        missing = [one for one in batch if one.id not in settled]
        return len(settled) + self._hand_over(self._without_hopeless(missing))

    def _without_hopeless(self, events: list[Outgoing]) -> list[Outgoing]:
        """Set aside what Prefect took again and again without ever storing it: each sending may start a run."""
        hopeless = [one.id for one in events if one.sendings >= MOST_SENDINGS]
        if hopeless:
            reason = f"Prefect took it {MOST_SENDINGS} times and never stored it; is its event persister on?"
            with self._engine.begin() as connection:
                mark_failed(connection, hopeless, reason)
        return [one for one in events if one.id not in hopeless]

    def _hand_over(self, events: list[Outgoing]) -> int:
        if not events:
            return 0
        ids = [one.id for one in events]
        try:
            self._store.send(events)
        except PrefectSlow:
            logger.warning("Prefect is slow; it is asked for %d events before they are sent again", len(events))
        except PrefectRefused as refusal:
            return self._one_by_one(events, refusal)
        except PrefectUnavailable as failure:
            wait = timedelta(seconds=min(LONGEST_BACKOFF_S, self._backoff_s * 2 or FIRST_BACKOFF_S))
            with self._engine.begin() as connection:
                postpone(connection, ids, failure.what, now=self._clock(), wait=wait)
            raise
        with self._engine.begin() as connection:
            mark_sent(connection, ids, now=self._clock())
        return len(ids)

    def _one_by_one(self, events: list[Outgoing], refusal: PrefectRefused) -> int:
        """One event that Prefect refuses must not hold up the others."""
        if len(events) > 1:
            return sum(self._hand_over([one]) for one in events)
        logger.error("event %s: %s", events[0].event_id, refusal.what)
        with self._engine.begin() as connection:
            mark_failed(connection, [events[0].id], f"{refusal.what}: {refusal.tail}")
        return 1
