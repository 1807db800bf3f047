from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.ledger.database import Moment, open_database

ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-720, 840))
MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=ZONES)


@given(moment=MOMENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_time_of_any_zone_comes_back_as_the_same_instant_in_utc(database: sa.Engine, moment: datetime) -> None:
    table = sa.Table("moments", sa.MetaData(), sa.Column("at", Moment))
    with database.begin() as connection:
        table.create(connection, checkfirst=True)
        connection.execute(table.delete())
        connection.execute(table.insert().values(at=moment))
        found = connection.scalar(sa.select(table.c.at))
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://"])
def test_a_database_that_answers_in_its_own_zone_is_understood(url: str) -> None:
    dialect = sa.make_url(url).get_dialect()()
    eastern = datetime(2026, 11, 20, 20, 0, tzinfo=timezone(timedelta(hours=8)))
    assert Moment().process_result_value(eastern, dialect) == datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert Moment().process_result_value(None, dialect) is None


def test_a_sqlite_ledger_makes_its_folder_and_its_readers_never_wait(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/new/ledger.db")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(sa.text("PRAGMA foreign_keys")) == 1
    engine.dispose()
