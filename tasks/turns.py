"""Which run may go on: one event is one run, the newest push of a branch wins, one run at a time has the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.client.orchestration import get_client
from prefect.states import Cancelling

from slipway.filelock import held
from slipway.ledger.claims import claim
from slipway.ledger.deliveries import create_tables, note_outcome
from slipway.summary import Shipped
from tasks.outside import run_id, say, workshop
from tasks.policies import EVIDENCE, GIT_READ, TURN_PATIENCE_S


@task(task_run_name="is {ref} still wanted?", **GIT_READ.options)
def admit(repository: str, ref: str, branch: str, environment: str, delivery: str) -> str:
    """Why this run ends here; "" when it goes on. Older builds of the branch are cancelled, rollouts are not.

    Hosts may deliver out of order and a trigger may fire twice, so the remote and the ledger are asked.
    """
    work, run, now = workshop(), run_id(), datetime.now(UTC)
    if delivery:
        with work.ledger.begin() as connection:
            if not claim(connection, delivery, "ship", run, now=now):
                return "another run has this event"
    # Entered before asking for the head: a push that comes in between finds this run, or this run finds that push.
    work.turns.enter(run, f"{repository}\n{branch}\n{environment}" if branch else "", now)
    head = work.source.remote_heads(repository).get(branch, "") if branch else ref
    if head != ref:
        work.turns.leave(run)
        return f"superseded: {branch} is at {head[:12]} now" if head else f"superseded: {branch} is gone"
    supersede_older(branch)
    return ""


def supersede_older(line: str) -> None:
    """Cancel the runs before this one on its line that have not begun their rollout."""
    for older in workshop().turns.supersede(run_id()):
        say(f"run {older} of {line} is superseded by this one")
        _cancel(older)


@contextmanager
def my_turn(patience_s: float = TURN_PATIENCE_S) -> Iterator[None]:
    """One run at a time builds, measures and rolls out here; one that dies gives its turn back by dying.

    Raises `DeadlineExceeded` for a run whose turn does not come within `patience_s`.
    """
    work = workshop()
    try:
        with held(work.settings.home / "run" / "turn.lock", deadline_s=patience_s):
            yield
    finally:
        work.turns.leave(run_id())


@task(task_run_name="set aside", **EVIDENCE.options)
def set_aside(delivery: str, reason: str) -> list[Shipped]:
    """Says why this run ends here, in its log and on the deliveries page."""
    say(reason)
    conclude(delivery, reason)
    return []


def conclude(delivery: str, outcome: str) -> None:
    """What became of a delivery, for the page that lists them; nothing for a run that no delivery caused."""
    if delivery:
        ledger = workshop().ledger
        create_tables(ledger)
        with ledger.begin() as connection:
            note_outcome(connection, UUID(delivery), outcome)


def _cancel(run: str) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run), Cancelling(message="superseded by a newer push"))
