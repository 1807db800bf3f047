"""Webhook deliveries and the events they caused: an outbox that loses nothing and doubles nothing.

A delivery and its events are written in one transaction, before the host gets its answer; `outbox.py` sends them on.
A poller records what it saw the same way: see `slipway.webhooks.polling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from slipway.errors import LedgerError
from slipway.ledger.database import metadata
from slipway.webhooks.events import GitEvent, event_id, next_occurrence
from slipway.webhooks.judgement import DeliveryState, Verdict

KEPT_REJECTIONS = 1_000
"""Rejections are for people to read; a forger must not be able to fill the disk with them."""

deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("repository", sa.String, nullable=False),
    sa.Column("delivery_id", sa.String),
    sa.Column("digest", sa.String),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("repeats", sa.Integer, nullable=False, default=0),
    sa.UniqueConstraint("host", "repository", "delivery_id"),
    sa.UniqueConstraint("host", "digest"),
    sa.Index("webhook_deliveries_by_state", "state", "id"),
    sqlite_autoincrement=True,
)
outbox = sa.Table(
    "webhook_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("delivery", sa.ForeignKey("webhook_deliveries.id"), nullable=False, index=True),
    sa.Column("event_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("identity", sa.String, nullable=False, index=True),
    sa.Column("event", sa.JSON, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False, default=""),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("sendings", sa.Integer, nullable=False, default=0),
    sa.Column("due_at", sa.Float, nullable=False),
    sa.Column("delivered_at", sa.Float),
    sa.Column("outcome", sa.String, nullable=False, default=""),
    sa.Index("webhook_events_by_state", "state", "due_at"),
    sqlite_autoincrement=True,
)
standings = sa.Table(
    "webhook_refs",
    metadata,
    sa.Column("ref", sa.String, primary_key=True),
    sa.Column("position", sa.String, nullable=False),
)


def _insert(table: sa.Table, end: str) -> sa.TextClause:
    """Every column but the row's own number, with its default. SQLite and PostgreSQL share the words of *end*.

    SQLAlchemy's own `on_conflict` cannot be cached: it is compiled anew each time, which costs more than running it.
    """
    columns = [column for column in table.columns if column.name != "id"]
    names, values = (", ".join(mark + column.name for column in columns) for mark in ("", ":"))
    return sa.text(f"INSERT INTO {table.name} ({names}) VALUES ({values}) {end}").bindparams(
        *(sa.bindparam(one.name, getattr(one.default, "arg", None), type_=one.type) for one in columns)
    )


# Built once: for SQLAlchemy, building a statement costs more than running it.
_PUT_DELIVERY = _insert(deliveries, "ON CONFLICT DO NOTHING RETURNING id")
_PUT_EVENT = _insert(outbox, "ON CONFLICT DO NOTHING RETURNING id")
_STAND = _insert(standings, "ON CONFLICT (ref) DO UPDATE SET position = excluded.position")
_HISTORY = sa.select(
    sa.select(sa.func.count()).where(outbox.c.identity == sa.bindparam("identity_")).scalar_subquery(),
    sa.select(standings.c.position).where(standings.c.ref == sa.bindparam("ref_")).scalar_subquery(),
)


@dataclass(frozen=True)
class Recorded:
    """What the ledger made of a delivery: its row, its state and why."""

    id: int
    state: DeliveryState
    reason: str


def create_tables(engine: sa.Engine) -> None:
    """Make this module's tables where they are missing, though receiver and sender may start at the same moment."""
    tables = [deliveries, outbox, standings]
    try:
        metadata.create_all(engine, tables=tables)
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        metadata.create_all(engine, tables=tables)  # the other one made them between our look and our making


def record(connection: sa.Connection, verdict: Verdict, *, now: datetime) -> Recorded:
    """Write one delivery with its events. A delivery told twice is answered with what became of the first telling.

    The first statement writes, so that SQLite takes its write lock at once instead of failing an upgrade.
    """
    row = {
        "received_at": now.timestamp(),
        "host": verdict.host,
        "repository": verdict.repository,
        "delivery_id": verdict.delivery_id or None,
        "digest": verdict.digest or None,
        "state": verdict.state.value,
        "reason": verdict.reason,
    }
    if verdict.state is DeliveryState.REJECTED:
        row |= {"delivery_id": None, "digest": None}  # a corrected redelivery must not look like a duplicate
    key: int | None = connection.scalar(_PUT_DELIVERY, row)
    if key is None:
        return _repeat(connection, verdict)
    if verdict.state is not DeliveryState.ACCEPTED:
        return Recorded(key, verdict.state, verdict.reason)
    told = [_put_event(connection, key, event, now) for event in verdict.events]
    if any(told):
        return Recorded(key, DeliveryState.ACCEPTED, "")
    reason = "duplicate: every event in it is known from another delivery"
    connection.execute(
        deliveries.update().where(deliveries.c.id == key).values(state=DeliveryState.IGNORED.value, reason=reason)
    )
    return Recorded(key, DeliveryState.IGNORED, reason)


def _repeat(connection: sa.Connection, verdict: Verdict) -> Recorded:
    """Count one more telling of a delivery; a flood of replays costs no rows."""
    first = connection.scalar(sa.select(deliveries.c.id).where(_same_delivery(verdict)).limit(1)) or 0
    connection.execute(deliveries.update().where(deliveries.c.id == first).values(repeats=deliveries.c.repeats + 1))
    return Recorded(first, DeliveryState.IGNORED, f"duplicate of delivery {first}")


def _same_delivery(verdict: Verdict) -> sa.ColumnElement[bool]:
    same_id = sa.and_(
        deliveries.c.repository == verdict.repository, deliveries.c.delivery_id == (verdict.delivery_id or None)
    )
    same_body = deliveries.c.digest == (verdict.digest or None)
    return sa.and_(deliveries.c.host == verdict.host, sa.or_(same_id, same_body))


def _put_event(connection: sa.Connection, delivery: int, event: GitEvent, now: datetime) -> bool:
    """Whether this event is news; `event_id` keeps it single even when two receivers write at once."""
    ref = _repository_key(event.host, event.repository) + event.ref
    told, standing = connection.execute(_HISTORY, {"identity_": event.identity, "ref_": ref}).one()
    occurrence = next_occurrence(event, told=told, standing=standing or "")
    if occurrence is None:
        return False
    row = {
        "delivery": delivery,
        "event_id": event_id(event, occurrence),
        "identity": event.identity,
        "event": event.model_dump(mode="json"),
        "state": "pending",
        "due_at": now.timestamp(),
    }
    if connection.scalar(_PUT_EVENT, row) is None:
        return False
    connection.execute(_STAND, {"ref": ref, "position": event.position})
    return True


def _repository_key(host: str, repository: str) -> str:
    return f"{host}/{repository}\n"


def known_refs(connection: sa.Connection, host: str, repository: str) -> dict[str, str]:
    """Where the ledger last saw each branch and tag of a repository; empty for one it never heard of."""
    key = _repository_key(host, repository)
    rows = connection.execute(sa.select(standings).where(standings.c.ref.startswith(key, autoescape=True)))
    found = {row.ref.removeprefix(key): row.position for row in rows}
    ours = ("refs/heads/", "refs/tags/")
    return {ref: position for ref, position in found.items() if ref.startswith(ours) and position.strip("0")}


def set_baseline(connection: sa.Connection, host: str, repository: str, refs: Mapping[str, str]) -> None:
    """Take a repository's refs as seen, without events: a first look must not build every branch there is."""
    for ref, position in refs.items():
        connection.execute(_STAND, {"ref": _repository_key(host, repository) + ref, "position": position})


def forget_old_rejections(connection: sa.Connection) -> None:
    """Keep the newest `KEPT_REJECTIONS` rejected deliveries."""
    rejected = deliveries.c.state == DeliveryState.REJECTED.value
    newest = (
        sa.select(deliveries.c.id).where(rejected).order_by(deliveries.c.id.desc()).offset(KEPT_REJECTIONS).limit(1)
    )
    if (last := connection.scalar(newest)) is not None:
        connection.execute(deliveries.delete().where(rejected, deliveries.c.id <= last))


def note_outcome(connection: sa.Connection, event: UUID, outcome: str) -> None:
    """What a flow made of an event, for the deliveries page: "ignored: docs only", "built", ..."""
    connection.execute(outbox.update().where(outbox.c.event_id == event).values(outcome=outcome[:500]))


def event_of(connection: sa.Connection, event: UUID) -> GitEvent | None:
    """The event that Prefect knows by this id, if it came through here."""
    found = connection.scalar(sa.select(outbox.c.event).where(outbox.c.event_id == event))
    return GitEvent.model_validate(found) if found else None


def outcome_of(connection: sa.Connection, event: UUID) -> str:
    """What `note_outcome` was told last; "" before."""
    return connection.scalar(sa.select(outbox.c.outcome).where(outbox.c.event_id == event)) or ""


def replay(connection: sa.Connection, delivery: int, *, now: datetime) -> int:
    """Send a delivery's events once more, as new events; how many. Raises `LedgerError` for one without."""
    rows = connection.execute(
        sa.select(outbox.c.event).where(outbox.c.delivery == delivery).order_by(outbox.c.id)
    ).all()
    if not rows:
        raise LedgerError(
            f"delivery {delivery} has no events to replay",
            next_step="only accepted deliveries can be replayed; a duplicate names the delivery it repeats",
        )
    events = {GitEvent.model_validate(row.event).identity: GitEvent.model_validate(row.event) for row in rows}
    for event in events.values():
        told = connection.scalar(sa.select(sa.func.count()).where(outbox.c.identity == event.identity)) or 0
        row = {"delivery": delivery, "event_id": event_id(event, told), "identity": event.identity}
        row |= {"event": event.model_dump(mode="json"), "state": "pending", "due_at": now.timestamp()}
        connection.execute(outbox.insert().values(**row, reason="replayed by hand"))
    return len(events)
