"""Desired state of every environment: which release stands in which slot, which slot is live, and past rollouts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from slipway.identity import Digest
from slipway.ledger.database import Moment, metadata
from slipway.rollout.blue_green import Slot, SlotState

slots = sa.Table(
    "slots",
    metadata,
    sa.Column("environment", sa.String, primary_key=True),
    sa.Column("service", sa.String, primary_key=True),
    sa.Column("slot", sa.String, primary_key=True),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("image", sa.String, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("retire_at", Moment),
)
rollouts = sa.Table(
    "rollouts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("environment", sa.String, nullable=False),
    sa.Column("service", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("flow_run", sa.String, nullable=False, server_default=""),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
)


@dataclass(frozen=True)
class RolloutRow:
    """One past or running rollout."""

    id: int
    environment: str
    service: str
    digest: str
    kind: str
    status: str
    reason: str
    started_at: datetime
    finished_at: datetime | None


class Slots:
    """The part of the ledger that says what should stand where. The router says what does."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        metadata.create_all(engine, tables=[slots, rollouts])

    def read(self, environment: str, service: str) -> dict[Slot, SlotState]:
        """The occupied slots of one service in one environment."""
        return {Slot(row.slot): _state(row) for row in self._rows(environment, service)}

    def everywhere(self) -> tuple[tuple[str, str, Slot, SlotState], ...]:
        """(environment, service, slot, state) of every occupied slot."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(slots).order_by(slots.c.environment, slots.c.service, slots.c.slot))
            return tuple((row.environment, row.service, Slot(row.slot), _state(row)) for row in rows)

    def occupy(self, environment: str, service: str, slot: Slot, state: SlotState) -> None:
        """A release stands in a slot now, live or not."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(slots).where(*_same(environment, service), slots.c.slot == slot))
            values = {"digest": state.digest, "image": state.image, "live": state.live, "retire_at": state.retire_at}
            connection.execute(sa.insert(slots).values(environment=environment, service=service, slot=slot, **values))

    def vacate(self, environment: str, service: str, slot: Slot) -> None:
        """Nothing stands in this slot any more."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(slots).where(*_same(environment, service), slots.c.slot == slot))

    def switch(self, environment: str, service: str, live: Slot, retire_at: datetime | None) -> None:
        """One transaction: `live` holds the traffic, the other slot waits until `retire_at`."""
        here = _same(environment, service)
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(slots).where(*here, slots.c.slot != live).values(live=False, retire_at=retire_at)
            )
            connection.execute(sa.update(slots).where(*here, slots.c.slot == live).values(live=True, retire_at=None))

    def begin(self, environment: str, service: str, digest: Digest, kind: str, flow_run: str, now: datetime) -> int:
        """A rollout starts; whatever an earlier run left unfinished here is closed as interrupted."""
        self.interrupt(environment, service, now)
        with self._engine.begin() as connection:
            made = connection.execute(
                sa.insert(rollouts).values(
                    environment=environment,
                    service=service,
                    digest=digest,
                    kind=kind,
                    status="running",
                    flow_run=flow_run,
                    started_at=now,
                )
            )
            return int(made.inserted_primary_key[0])  # type: ignore[index]

    def interrupt(self, environment: str, service: str, now: datetime) -> None:
        """Whatever rollout has not ended here died; for who holds the rollout's lock."""
        here = (rollouts.c.environment == environment, rollouts.c.service == service)
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(rollouts)
                .where(*here, rollouts.c.status == "running")
                .values(status="interrupted", reason="its run ended before it did", finished_at=now)
            )

    def unfinished(self) -> frozenset[tuple[str, str]]:
        """(environment, service) with a rollout that has not ended: under way, or dead."""
        wanted = sa.select(rollouts.c.environment, rollouts.c.service).where(rollouts.c.status == "running")
        with self._engine.connect() as connection:
            return frozenset((row.environment, row.service) for row in connection.execute(wanted))

    def finish(self, rollout: int, status: str, reason: str, now: datetime) -> None:
        """A rollout ended: completed or failed."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(rollouts)
                .where(rollouts.c.id == rollout)
                .values(status=status, reason=reason, finished_at=now)
            )

    def history(self, limit: int = 20) -> tuple[RolloutRow, ...]:
        """The latest rollouts, newest first."""
        names = [column for column in rollouts.c if column.name != "flow_run"]
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*names).order_by(rollouts.c.id.desc()).limit(limit))
            return tuple(RolloutRow(**row._asdict()) for row in rows)

    def _rows(self, environment: str, service: str) -> list[sa.Row[tuple[object, ...]]]:
        with self._engine.connect() as connection:
            return list(connection.execute(sa.select(slots).where(*_same(environment, service))).all())


def _same(environment: str, service: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return slots.c.environment == environment, slots.c.service == service


def _state(row: sa.Row[tuple[object, ...]]) -> SlotState:
    return SlotState(digest=Digest(row.digest), image=row.image, live=row.live, retire_at=row.retire_at)
