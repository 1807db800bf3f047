"""The Prefect server, patient with its SQLite database: `python -m deployments.prefect_server --host H --port P`.

Prefect opens most transactions in SQLite's deferred mode: one that reads first and then writes fails at once with
"database is locked" when another has written in between. Its API then answers 503, and its event services give a
message up after four such meetings, so that a trigger never fires. A transaction that takes the write lock at its
beginning waits instead, for up to 60 s by Prefect's own setting (decision 8).
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.cli import app
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import temporary_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class PatientSqlite(AioSqliteConfiguration):
    """Every transaction begins with the write lock."""

    @asynccontextmanager
    async def begin_transaction(
        self,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: ARG002 - as if it were always asked for
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """`with_for_update` is what Prefect calls the immediate mode."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def main() -> None:
    """`prefect server start`, with the options given."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    with temporary_database_config(PatientSqlite(connection_url=url) if url.startswith("sqlite") else None):
        sys.argv = ["prefect", "server", "start", *sys.argv[1:]]
        app()


if __name__ == "__main__":
    main()
