"""Events on their way to Prefect: `pending`, `sent` (Prefect took it), `delivered` (Prefect gave it back when asked).

A replayed event starts again; `failed` ones wait for a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from slipway.ledger.deliveries import deliveries, outbox
from slipway.webhooks.events import GitEvent


@dataclass(frozen=True)
class Outgoing:
    """One event on its way to Prefect; `attempts` counts the tries, `sendings` those that Prefect took."""

    id: int
    event_id: UUID
    event: GitEvent
    attempts: int
    sendings: int
    received_at: float


def due(connection: sa.Connection, *, now: datetime, limit: int) -> list[Outgoing]:
    """Pending events whose time has come, oldest first."""
    ready = sa.and_(outbox.c.state == "pending", outbox.c.due_at <= now.timestamp())
    return _outgoing(connection, ready, limit)


def unconfirmed(connection: sa.Connection, *, limit: int) -> list[Outgoing]:
    """Events that Prefect took but has not yet given back, oldest first."""
    return _outgoing(connection, outbox.c.state == "sent", limit)


def _outgoing(connection: sa.Connection, condition: sa.ColumnElement[bool], limit: int) -> list[Outgoing]:
    rows = connection.execute(
        sa.select(outbox, deliveries.c.received_at)
        .join(deliveries, deliveries.c.id == outbox.c.delivery)
        .where(condition)
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return [
        Outgoing(row.id, row.event_id, GitEvent.model_validate(row.event), row.attempts, row.sendings, row.received_at)
        for row in rows
    ]


def mark_sent(connection: sa.Connection, ids: Iterable[int], *, now: datetime) -> None:
    """Prefect answered 2xx (or may have): each is to be asked for from now on."""
    tries = {"attempts": outbox.c.attempts + 1, "sendings": outbox.c.sendings + 1}
    _mark(connection, ids, state="sent", due_at=now.timestamp(), reason="", **tries)


def mark_delivered(connection: sa.Connection, ids: Iterable[int], *, now: datetime) -> None:
    """Prefect gave these events back: they are stored there."""
    _mark(connection, ids, state="delivered", delivered_at=now.timestamp(), reason="")


def mark_failed(connection: sa.Connection, ids: Iterable[int], reason: str) -> None:
    """Prefect will never take these; only a replay tries again."""
    _mark(connection, ids, state="failed", attempts=outbox.c.attempts + 1, reason=reason[:500])


def postpone(connection: sa.Connection, ids: Iterable[int], reason: str, *, now: datetime, wait: timedelta) -> None:
    """Prefect could not be reached: try again after `wait`."""
    due_at = (now + wait).timestamp()
    _mark(connection, ids, state="pending", attempts=outbox.c.attempts + 1, due_at=due_at, reason=reason[:500])


def requeue_sent(connection: sa.Connection, *, sent_before: datetime) -> int:
    """Send again what Prefect took before that moment and has not given back; how many these are.

    Prefect keeps fresh events in memory for some seconds: a server that died took them along.
    """
    lost = sa.and_(outbox.c.state == "sent", outbox.c.due_at <= sent_before.timestamp())
    result = connection.execute(outbox.update().where(lost).values(state="pending", reason="not stored by Prefect"))
    return result.rowcount


def _mark(connection: sa.Connection, ids: Iterable[int], **values: Any) -> None:
    wanted = list(ids)
    if wanted:
        connection.execute(outbox.update().where(outbox.c.id.in_(wanted)).values(**values))
