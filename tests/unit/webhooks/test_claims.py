"""One event starts one run of each deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from slipway.ledger.claims import claim
from slipway.ledger.database import open_database

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def test_one_event_starts_one_run_of_each_deployment(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    asked = [("e1", "ship", "run-1"), ("e1", "ship", "run-2"), ("e1", "ship", "run-1"), ("e1", "check", "run-2")]
    asked.append(("e2", "ship", "run-2"))
    answers = []
    for event, deployment, holder in asked:
        with engine.begin() as connection:
            answers.append(claim(connection, event, deployment, holder, now=NOW))
    assert answers == [True, False, True, True, True]
