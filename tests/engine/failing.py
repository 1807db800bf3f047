"""What a failure owes a tired person: what failed, what to do next, a live release that never noticed, no remains."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import httpx
import sqlalchemy as sa

from slipway.errors import SlipwayError
from slipway.ledger.leases import leases
from tests.engine.conftest import GitRepository, Harness
from tests.engine.runs import leftovers, toy_in, until, watched


def ensure_live(harness: Harness, folder: Path) -> None:
    """Something serves that a failure could harm."""
    if not harness.workshop.slots.read("local", "toy"):
        ended = harness.ship(toy_in(folder))
        assert ended.completed, ended.message


def serving(harness: Harness) -> tuple[str, str, dict[str, int]]:
    """Who answers at the live address, by the service, the ledger and the router."""
    live = [state.digest for state in harness.workshop.slots.read("local", "toy").values() if state.live]
    weights = {str(slot): weight for slot, weight in harness.workshop.deployer("local").places.observed("toy").items()}
    return httpx.get(f"{harness.url}/version").json()["digest"], "".join(live), weights


def ship_fails(
    harness: Harness, repository: GitRepository | str, kind: type[SlipwayError], **parameters: str
) -> SlipwayError:
    """Ship what has to fail in this way; the error as the command line gets it."""
    before = serving(harness)
    address = repository if isinstance(repository, str) else str(repository.path)
    with watched(harness.url) as seen:
        flow_run = harness.start(repository=address, **parameters)
        ended = harness.wait(flow_run)
    assert not ended.completed, [(step.name, step.state) for step in ended.steps]
    assert_nothing_left(harness, flow_run)
    assert serving(harness) == before
    assert all(report.is_clean for report in seen), seen
    error: SlipwayError = ended.error
    print(f"\n{ended.seconds:.1f} s {type(error).__name__} ({error.exit_code}): {error}")
    assert type(error) is kind, error
    assert_readable(str(error))
    return error


def assert_nothing_left(harness: Harness, flow_run: UUID) -> None:
    """No container, process, folder or lease of a run that is over."""
    until(lambda: not leftovers(harness, flow_run), 20)
    with harness.workshop.ledger.connect() as ledger:
        assert ledger.scalar(sa.select(sa.func.count()).where(leases.c.holder == str(flow_run))) == 0


def assert_readable(message: str) -> None:
    """A first line that says what failed, a next step, and no frame of our own code."""
    first = message.splitlines()[0]
    assert 10 < len(first) < 400, first
    assert "next: " in message, message
    assert not re.search(r'File ".*/(slipway|tasks|flows|deployments)/', message), message
