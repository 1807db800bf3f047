"""The server of an installation takes what many clients write at once: nothing is refused because SQLite is busy."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from deployments.installation import Installation
from tests.engine.conftest import Harness

pytestmark = pytest.mark.engine

CLIENTS, RUNS_EACH = 12, 4


def test_many_clients_at_once_are_all_answered(harness: Harness) -> None:
    with httpx.Client(base_url=harness.workshop.settings.prefect_api, timeout=120) as api:
        flow = api.post("/flows/", json={"name": "many at once"}).json()["id"]
        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = Counter(
                status for found in clients.map(lambda _: lives(api, flow), range(CLIENTS)) for status in found
            )
    assert not [status for status in answers if status >= 300], answers
    assert sum(answers.values()) == CLIENTS * RUNS_EACH * 5
    assert "database is locked" not in Installation(harness.workshop).server.log.read_text()


def lives(api: httpx.Client, flow: str) -> list[int]:
    """What the server answers to all that some runs tell it from their beginning to their end."""
    return [status for number in range(RUNS_EACH) for status in life(api, flow, number)]


def life(api: httpx.Client, flow: str, number: int) -> list[int]:
    now = datetime.now(UTC).isoformat()
    made = api.post("/flow_runs/", json={"flow_id": flow, "state": {"type": "PENDING"}, "tags": ["many"]})
    run = made.json().get("id", uuid4())
    states = [api.post(f"/flow_runs/{run}/set_state", json={"state": {"type": to}}) for to in ("RUNNING", "COMPLETED")]
    line = {"name": "many", "level": 20, "message": f"line {number}", "timestamp": now, "flow_run_id": str(run)}
    event = {
        "id": str(uuid4()),
        "event": "many.lives",
        "occurred": now,
        "resource": {"prefect.resource.id": f"many.{run}"},
    }
    return [
        answer.status_code
        for answer in (made, *states, api.post("/logs/", json=[line]), api.post("/events", json=[event]))
    ]
