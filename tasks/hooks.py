"""When a run is cancelled or its process dies: nothing that it started stays."""

from __future__ import annotations

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Crashed

from tasks.outside import workshop
from tasks.rollout import put_rollouts_right


def reap(flow: Flow[..., object], flow_run: FlowRun, state: State[object]) -> None:  # noqa: ARG001 Prefect's names
    """Remove the run's containers, its unfinished folders and its leases; put right the rollout that it left."""
    work, run = workshop(), str(flow_run.id)
    end_tasks(flow_run, state)
    work.janitor.of_run(run)
    work.builder.clear()
    work.models.clear()
    work.leases.give_back(run)
    work.turns.leave(run)
    put_rollouts_right()


def end_tasks(flow_run: FlowRun, state: State[object]) -> None:
    """Task runs that died with their process get its state; else they run for ever."""
    over = Cancelled if state.is_cancelled() or state.is_cancelling() else Crashed
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
    with get_client(sync_client=True) as client:
        for found in client.read_task_runs(flow_run_filter=mine):
            if found.state and not found.state.is_final():
                client.set_task_run_state(found.id, over(message="its flow run ended"), force=True)
