"""Automations that keep runs honest when their process no longer can, as code."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

HEARTBEAT_S = 30
"""The shortest that Prefect allows."""

_OVER = frozenset(f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed"))
_BEAT = "prefect.flow-run.heartbeat"


def wanted(*, silent_s: int = 4 * HEARTBEAT_S, stuck_s: int = 120) -> tuple[AutomationCore, ...]:
    """Every automation of an installation; their names are their identity.

    A run is given up `silent_s` after its last heartbeat, a cancellation `stuck_s` after somebody asked for it.
    """
    return (
        AutomationCore(
            name="slipway: a run without heartbeats has crashed",
            description="Its process is gone, or has hung; the janitor removes what it left.",
            trigger=_silence(after={_BEAT}, expect=_OVER | {_BEAT}, within_s=silent_s),
            actions=[_end(StateType.CRASHED, f"no heartbeat for {silent_s} s: its process is gone")],
        ),
        AutomationCore(
            name="slipway: a run that cannot be cancelled is cancelled",
            description="The worker that should have ended it is gone.",
            trigger=_silence(after={"prefect.flow-run.Cancelling"}, expect=_OVER, within_s=stuck_s),
            actions=[_end(StateType.CANCELLED, f"its cancellation was not finished within {stuck_s} s")],
        ),
    )


async def apply_automations(client: PrefectClient) -> None:
    """The server has exactly `wanted()` under our names; applying twice changes nothing."""
    for automation in wanted():
        found: list[Automation] = await client.read_automations_by_name(automation.name)
        if not found:
            await client.create_automation(automation)
        elif not _same(found[0], automation):
            await client.update_automation(found[0].id, automation)


def _same(there: Automation, wanted: AutomationCore) -> bool:
    mine = wanted.model_dump()  # sets stay sets: the server gives them back in any order
    return {key: value for key, value in there.model_dump().items() if key in mine} == mine


def _silence(*, after: set[str], expect: frozenset[str], within_s: int) -> EventTrigger:
    """Fires for a run that told one of `after`, and then none of `expect`."""
    return EventTrigger(
        posture=Posture.Proactive,
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        after=after,
        expect=set(expect),
        threshold=1,
        within=timedelta(seconds=within_s),
    )


def _end(state: StateType, message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(name=None, state=state, message=message, force=False)
