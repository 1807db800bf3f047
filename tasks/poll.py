"""Looking at a remote instead of waiting for its call: for hosts that cannot reach the receiver."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import task
from pydantic import BaseModel, ConfigDict

from slipway.ledger.deliveries import create_tables, known_refs, record, set_baseline
from slipway.webhooks.events import GitEvent
from slipway.webhooks.polling import moves, parse_ls_remote, verdict_of
from tasks.outside import say, workshop
from tasks.policies import GIT_READ


class Watched(BaseModel):
    """One repository to look at; `host` and `name` as a webhook would say them, so that both ways are one story."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    name: str
    host: str = "git"


@task(task_run_name="look at {watched.name}", **GIT_READ.options)
def look(watched: Watched) -> int:
    """Record what moved since the last look; how many events that is. The first look only remembers."""
    work = workshop()
    seen = parse_ls_remote(work.source.remote_refs(watched.url))
    create_tables(work.ledger)
    with work.ledger.begin() as connection:
        known = known_refs(connection, watched.host, watched.name)
        if not known:
            set_baseline(connection, watched.host, watched.name, seen)
            say(f"{watched.name}: {len(seen)} branches and tags remembered; the next change is shipped")
            return 0
        events = moves(known, seen, host=watched.host, repository=watched.name, url=watched.url)
        if events:
            record(connection, verdict_of(events), now=datetime.now(UTC))
    _tell(watched, events)
    return len(events)


def _tell(watched: Watched, events: list[GitEvent]) -> None:
    for event in events:
        say(f"{watched.name}: {event.name} {event.ref} {event.before[:12]} -> {event.after[:12]}")
