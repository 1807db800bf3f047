"""What people and monitors ask of the deliveries; nothing here writes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from slipway.ledger.deliveries import deliveries, outbox


def page(connection: sa.Connection, *, before: int | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Deliveries, newest first, each with its events; `before` is the id to go on from."""
    wanted = sa.select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(deliveries.c.id < before)
    found = {row.id: {**row._mapping, "events": []} for row in connection.execute(wanted)}
    for row in connection.execute(sa.select(outbox).where(outbox.c.delivery.in_(found)).order_by(outbox.c.id)):
        found[row.delivery]["events"].append(dict(row._mapping))
    return list(found.values())


def counts(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """How many deliveries and events are in each state, by ("delivery" or "event", state)."""
    found: dict[tuple[str, str], int] = {}
    for name, table in (("delivery", deliveries), ("event", outbox)):
        for state, count in connection.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state)):
            found[name, state] = count
    return found


def oldest_unsent(connection: sa.Connection) -> float | None:
    """When the oldest delivery whose event is not yet stored by Prefect came in (seconds since the epoch)."""
    waiting = outbox.c.state.in_(("pending", "sent"))
    joined = sa.select(sa.func.min(deliveries.c.received_at)).join(outbox, outbox.c.delivery == deliveries.c.id)
    oldest: float | None = connection.scalar(joined.where(waiting))
    return oldest
