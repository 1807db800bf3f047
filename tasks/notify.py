"""Telling people, through Prefect's notification blocks: a failure, what works again, a release."""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.blocks.notifications import AbstractAppriseNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.logging import get_logger
from prefect.variables import Variable
from pydantic import Field, SecretStr

from slipway.notices import Notice, RunEnd, first_line, notice_of, outcome_in_words
from slipway.redaction import redact
from tasks.hosts import run_url

VARIABLE = "slipway_notify"
_LINE = ("repository", "branch", "environment")


class AppriseUrl(AbstractAppriseNotificationBlock):
    """Any service that Apprise knows by URL: dingtalk://, feishu://, wecombot://, mailto://, slack://...

    Registered with `prefect block register --module tasks.notify`.
    """

    _block_type_name = "Apprise URL"
    _block_type_slug = "apprise-url"

    url: SecretStr = Field(description="The service's Apprise URL; it holds the secret, so it is one")


def notify(flow: Flow[..., object], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 Prefect's names
    """A flow's hook; never raises. Off unless the variable `slipway_notify` lists blocks: ["slack-webhook/ops"]."""
    try:
        blocks: list[Any] = Variable.get(VARIABLE, [])
        if isinstance(blocks, list) and blocks:
            _notify([str(block) for block in blocks], flow_run, state)
    except Exception as failed:
        get_logger(__name__).warning("nobody was notified: %s", redact(str(failed)))


def _notify(blocks: list[str], flow_run: FlowRun, state: State[Any]) -> None:
    end = RunEnd(flow_run.name, state.is_completed(), redact(_outcome(state)), run_url(flow_run))
    notice = notice_of(end, failed_before=_failed_before(flow_run))
    for slug in blocks if notice else ():
        try:
            _send(slug, notice)
        except Exception as failed:  # one service that is away must not keep the others from hearing
            get_logger(__name__).warning("%s was not told: %s", slug, type(failed).__name__)


def _send(slug: str, notice: Notice | None) -> None:
    block: Any = Block.load(slug, _sync=True)  # type: ignore[call-arg]
    if isinstance(block, NotificationBlock) and notice:
        block.notify(body=notice.body, subject=notice.subject, _sync=True)  # type: ignore[call-arg, unused-coroutine]


def _outcome(state: State[Any]) -> str:
    """What a completed ship returned, else the first line of what went wrong."""
    if not state.is_completed():
        return first_line(state.message or "")
    result = state.result(raise_on_failure=False, _sync=True)  # type: ignore[call-overload]
    shipped = result if isinstance(result, list) else []
    return outcome_in_words([(one.service, one.digest, one.url) for one in shipped])


def _failed_before(flow_run: FlowRun) -> bool:
    """Whether the run before this one, of the same deployment for the same branch and environment, failed."""
    if not flow_run.deployment_id:
        return False
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[flow_run.deployment_id])),
            sort=FlowRunSort.END_TIME_DESC,
            limit=50,
        )
    same = [one for one in found if one.id != flow_run.id and one.state and one.state.is_final()]
    mine = [flow_run.parameters.get(name) for name in _LINE]
    before = next((one for one in same if [one.parameters.get(name) for name in _LINE] == mine), None)
    return bool(before and before.state and (before.state.is_failed() or before.state.is_crashed()))
