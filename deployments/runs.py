"""Runs of a deployment, as a person at a terminal sees them: started, followed to their end, summed up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.exceptions import PrefectHTTPStatusError

from slipway import errors
from slipway.errors import PrefectUnavailable, SlipwayError

_POLL_S = 0.5
_NAMED_ERROR = re.compile(r"\b([A-Z][A-Za-z]+): ")


@dataclass(frozen=True)
class Step:
    """One task run: its name, Prefect's word for its state, and how long it took so far."""

    name: str
    state: str
    seconds: float


@dataclass(frozen=True)
class Ended:
    """A finished run. `message` is empty when it completed."""

    id: UUID
    name: str
    completed: bool
    state: str
    message: str
    steps: tuple[Step, ...]
    seconds: float

    @property
    def error(self) -> SlipwayError | None:
        """What went wrong, as the error that the task raised."""
        if self.completed:
            return None
        for found in _NAMED_ERROR.finditer(self.message):
            kind = getattr(errors, found[1], None)
            if isinstance(kind, type) and issubclass(kind, SlipwayError):
                return kind(self.message[found.end() :])
        return SlipwayError(
            f"the run {self.name} ended as {self.state}: {self.message}",
            next_step="read the run's log in the Prefect UI; a run that crashed is simply started again",
        )


class View(Protocol):
    """Something that shows steps while they change."""

    def show(self, steps: tuple[Step, ...]) -> None:
        """The steps as they are now."""
        ...


async def start(deployment: str, parameters: Mapping[str, Any]) -> UUID:
    """Ask the server for a run; the worker picks it up. Raises `PrefectUnavailable`."""
    try:
        async with get_client() as client:
            found = await client.read_deployment_by_name(deployment)
            run = await client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))
            return run.id
    except (httpx.HTTPError, PrefectHTTPStatusError) as gone:
        raise PrefectUnavailable(
            "the Prefect server does not answer", tail=str(gone), next_step="start it: `slipway up`"
        ) from gone


async def follow(run: UUID, view: View) -> Ended:
    """Show a run's steps until it ends."""
    async with get_client() as client:
        while True:
            flow_run = await client.read_flow_run(run)
            steps = await _steps(client, run)
            view.show(steps)
            if flow_run.state and flow_run.state.is_final():
                state = flow_run.state
                return Ended(
                    id=run,
                    name=flow_run.name,
                    completed=state.type == StateType.COMPLETED,
                    state=state.name or "",
                    message="" if state.is_completed() else state.message or "",
                    steps=steps,
                    seconds=flow_run.total_run_time.total_seconds(),
                )
            await asyncio.sleep(_POLL_S)


async def _steps(client: PrefectClient, run: UUID) -> tuple[Step, ...]:
    found = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
    started = [task for task in found if task.start_time]
    return tuple(_step(task) for task in sorted(started, key=_when))


def _when(task: TaskRun) -> float:
    return task.start_time.timestamp() if task.start_time else 0.0


def _step(task: TaskRun) -> Step:
    running = task.estimated_run_time.total_seconds()
    return Step(task.name, task.state_name or "Pending", running)
