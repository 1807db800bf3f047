"""Runs that nobody runs any more. Automations end them at once, but an automation may miss the event it waits for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from prefect import task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Crashed

from tasks.outside import run_id, say
from tasks.policies import DEAD_AFTER, HOST_CLEANUP

_UNDER_WAY = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_OVER = [StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED]


@task(task_run_name="end dead runs", **HOST_CLEANUP.options)
def end_dead_runs() -> list[str]:
    """Runs without a heartbeat for `DEAD_AFTER` have crashed, and no task outlives its run; the names of these runs.

    A run that "runs" for ever would keep its containers, its leases and its deployment's place in a limit for ever.
    """
    moment = datetime.now(UTC) - DEAD_AFTER
    with get_client(sync_client=True) as client:
        dead = list(_silent_since(moment, client))
        for run in dead:
            cancelled = run.state is not None and run.state.is_cancelling()
            over = Cancelled if cancelled else Crashed
            client.set_flow_run_state(run.id, over(message="no heartbeat: its process is gone"), force=True)
            say(f"{run.name} has had no process since {moment:%H:%M} UTC or before; it is over")
        _end_tasks_of_ended_runs(moment, client)
    return [run.name for run in dead]


def _silent_since(moment: datetime, client: SyncPrefectClient) -> Iterable[FlowRun]:
    """Runs of deployments that have been under way since before `moment`, and were not heard of after it."""
    under_way = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNDER_WAY)))
    for run in client.read_flow_runs(flow_run_filter=under_way):
        old = run.state is not None and run.state.timestamp < moment
        if old and run.deployment_id and str(run.id) != run_id() and not _heard(run, moment, client):
            yield run


def _heard(run: FlowRun, moment: datetime, client: SyncPrefectClient) -> bool:
    heartbeats = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run.id}"]},
        "occurred": {"since": moment.isoformat()},
    }
    answer = client.request("POST", "/events/filter", json={"filter": heartbeats, "limit": 1})
    return bool(answer.json()["events"])


def _end_tasks_of_ended_runs(moment: datetime, client: SyncPrefectClient) -> None:
    """Of runs that ended before `moment`: what a living run reports of its tasks may come a little after its end."""
    ended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_OVER)),
        end_time=FlowRunFilterEndTime.model_validate({"before_": moment}),
    )
    alive = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_UNDER_WAY)))
    for found in client.read_task_runs(flow_run_filter=ended, task_run_filter=alive):
        client.set_task_run_state(found.id, Crashed(message="its flow run ended"), force=True)
        say(f"{found.name} outlived its run; it is over")
