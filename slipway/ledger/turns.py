"""Who ships what: the one place where "a newer push supersedes an older build" and "a rollout finishes" are decided.

A run's stage changes in one statement, so a run either starts its rollout or is superseded, never both.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from slipway.errors import Superseded
from slipway.ledger.database import Moment, metadata

_BUILDING, _ROLLOUT, _SUPERSEDED = "building", "rollout", "superseded"

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.String, nullable=False, unique=True),
    sa.Column("line", sa.String, nullable=False, index=True),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("entered_at", Moment, nullable=False),
    sqlite_autoincrement=True,
)


class Turns:
    """Runs on their way to a rollout.

    A line (repository, branch, environment) is where pushes follow one another; a run on no line ("") stays.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        metadata.create_all(engine, tables=[turns])

    def enter(self, run: str, line: str, now: datetime) -> None:
        """`run` starts its build; a run that starts again begins anew."""
        self.leave(run)
        with self._engine.begin() as connection:
            connection.execute(sa.insert(turns).values(run=run, line=line, stage=_BUILDING, entered_at=now))

    def supersede(self, run: str) -> tuple[str, ...]:
        """The runs before `run` on its line that had not begun their rollout; from now on they cannot."""
        mine = sa.select(turns.c.id, turns.c.line).where(turns.c.run == run).subquery()
        older = sa.and_(
            turns.c.line == sa.select(mine.c.line).scalar_subquery(),
            turns.c.line != "",
            turns.c.id < sa.select(mine.c.id).scalar_subquery(),
            turns.c.stage == _BUILDING,
        )
        with self._engine.begin() as connection:
            return tuple(
                connection.scalars(sa.update(turns).where(older).values(stage=_SUPERSEDED).returning(turns.c.run))
            )

    def begin_rollout(self, run: str) -> None:
        """From now on `run` finishes. Raises `Superseded` when a newer run of its line came first."""
        mine = turns.c.run == run
        with self._engine.begin() as connection:
            connection.execute(sa.update(turns).where(mine, turns.c.stage == _BUILDING).values(stage=_ROLLOUT))
            stage = connection.scalar(sa.select(turns.c.stage).where(mine))
        if stage == _SUPERSEDED:
            raise Superseded("a newer push to the branch came first", next_step="nothing: the newer run ships it")

    def leave(self, run: str) -> None:
        """`run` is over."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(turns).where(turns.c.run == run))
