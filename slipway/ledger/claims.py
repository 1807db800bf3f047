"""One run for one event. A Prefect server that is killed may fire a trigger again for an event it had acted on."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from slipway.ledger.database import metadata

claims = sa.Table(
    "run_claims",
    metadata,
    sa.Column("event", sa.String, primary_key=True),
    sa.Column("deployment", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("claimed_at", sa.Float, nullable=False),
)


def claim(connection: sa.Connection, event: str, deployment: str, holder: str, *, now: datetime) -> bool:
    """Whether `holder` (a flow run's id) is the one run of `deployment` for `event`; asking again changes nothing.

    A replayed event has an id of its own, so a replay always runs.
    """
    metadata.create_all(connection, tables=[claims])
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"event": event, "deployment": deployment, "holder": holder, "claimed_at": now.timestamp()}
    connection.execute(dialect.insert(claims).on_conflict_do_nothing(), row)
    first = connection.scalar(
        sa.select(claims.c.holder).where(claims.c.event == event, claims.c.deployment == deployment)
    )
    return bool(first == holder)
