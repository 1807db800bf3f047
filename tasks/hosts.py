"""Back to the git host: the status of a commit, told by the hooks of the run that a push caused."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.blocks.system import Secret
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import get_logger
from prefect.settings import PREFECT_UI_URL

from slipway.errors import SlipwayError, TemporaryError
from slipway.hosts.client import set_status
from slipway.hosts.status import Account, CommitStatus
from slipway.ledger.deliveries import event_of, outcome_of
from slipway.notices import first_line, status_of
from slipway.redaction import redact
from slipway.webhooks.events import GitEvent
from slipway.webhooks.signatures import HostKind
from tasks.outside import workshop
from tasks.policies import HOST_STATUS


def tell_host(flow: Flow[..., object], flow_run: FlowRun, state: State[Any]) -> None:
    """A flow's hook: pending, success or failure beside the commit. Whatever goes wrong here, the run stays what it is.

    Off unless there is a Prefect Secret block `slipway-account-<host>` holding {"kind", "token", "api"}.
    """
    try:
        delivery = str(flow_run.parameters.get("delivery") or "")
        if delivery and not flow_run.parameters.get("from_fork"):
            _tell(flow.name, flow_run, state, UUID(delivery))
    except Exception as failed:
        get_logger(__name__).warning("the git host was not told: %s", redact(str(failed)))


def run_url(flow_run: FlowRun) -> str:
    """The run's page; PREFECT_UI_URL says where people reach the server."""
    base = PREFECT_UI_URL.value() or workshop().settings.prefect_ui
    return f"{base.rstrip('/')}/runs/flow-run/{flow_run.id}"


def _tell(flow: str, flow_run: FlowRun, state: State[Any], delivery: UUID) -> None:
    with workshop().ledger.connect() as connection:
        event, outcome = event_of(connection, delivery), outcome_of(connection, delivery)
    status = status_of(state.type.value, outcome or first_line(state.message or ""))
    account = account_of(event.host) if event and status else None
    if event and status and account:
        environment = flow_run.parameters.get("environment")
        context = f"slipway/{environment}" if environment else f"slipway/{flow}"
        _insist(account, event, CommitStatus(status[0], context, status[1], run_url(flow_run)))


def _insist(account: Account, event: GitEvent, status: CommitStatus) -> None:
    """A hook is no task, so the policy's retries are made here."""
    for delay_s in (*HOST_STATUS.delays_s, None):
        try:
            set_status(account, event.repository, event.after, status)
            return
        except TemporaryError:
            if delay_s is None:
                raise
            time.sleep(delay_s)


def account_of(host: str) -> Account | None:
    """Who tells this host, if anybody was set up for it. Raises `SlipwayError` for a block that cannot be read."""
    name = "slipway-account-" + re.sub(r"[^a-z0-9]+", "-", host.lower())
    try:
        value = Secret.load(name, _sync=True).get()  # type: ignore[union-attr, call-arg]
    except ValueError:
        return None
    try:
        found = json.loads(value) if isinstance(value, str) else dict(value)
        return Account(HostKind(found["kind"]), found["token"], found.get("api", ""))
    except (ValueError, KeyError, TypeError) as wrong:
        raise SlipwayError(
            f"the Secret block {name} is not an account",
            next_step='it holds {"kind": "gitlab", "token": "...", "api": ""}',
        ) from wrong
