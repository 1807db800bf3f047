"""Who still needs an image, and when it was last used: what cleaning up must never touch.

`docker image prune --filter until` looks at the creation time, which is fixed in reproducible images; hence our own.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from slipway.ledger.database import Moment, metadata

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("image", sa.String, primary_key=True),
    sa.Column("holder", sa.String, primary_key=True),
    sa.Column("until", Moment, nullable=False),
)
uses = sa.Table(
    "image_uses",
    metadata,
    sa.Column("image", sa.String, primary_key=True),
    sa.Column("last_used", Moment, nullable=False),
)


class Leases:
    """Leases end by themselves, so that a killed run cannot keep an image for ever."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        metadata.create_all(engine, tables=[leases, uses])

    def take(self, image: str, holder: str, until: datetime, now: datetime) -> None:
        """`holder` needs `image` until then; it counts as used now."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(leases).where(leases.c.image == image, leases.c.holder == holder))
            connection.execute(sa.insert(leases).values(image=image, holder=holder, until=until))
            connection.execute(sa.delete(uses).where(uses.c.image == image))
            connection.execute(sa.insert(uses).values(image=image, last_used=now))

    def give_back(self, holder: str) -> None:
        """`holder` needs nothing any more."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(leases).where(leases.c.holder == holder))

    def leased(self, now: datetime) -> frozenset[str]:
        """Images that somebody holds now; leases that ended are forgotten."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(leases).where(leases.c.until < now))
            return frozenset(connection.scalars(sa.select(leases.c.image)))

    def last_used(self) -> dict[str, datetime]:
        """When each known image was last used."""
        with self._engine.connect() as connection:
            return {row.image: row.last_used for row in connection.execute(sa.select(uses))}
