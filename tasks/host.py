"""The host before and after runs: room for a build, nothing of a dead run left, old things gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from uuid import UUID

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from slipway.errors import DeadlineExceeded
from slipway.host.registry_garbage import RegistryGarbage
from slipway.host.space import Needs, SpaceReport, ensure_space, needed_by_folder
from slipway.plan import BuildPlan
from slipway.processes import kill_children
from tasks.outside import registry_credentials, run_id, say, work_folder, workshop
from tasks.policies import GARBAGE_PATIENCE_S, HOST_CLEANUP
from tasks.rollout import put_rollouts_right
from tasks.turns import my_turn


@task(task_run_name="space for {build.subject}", **HOST_CLEANUP.options)
def ensure_free_space(build: BuildPlan) -> SpaceReport:
    """Room for this build; cleaned up first when the disk is nearly full, refused with the numbers when that fails."""
    work, size = workshop(), build.choice.size_budget_mb * 10**6
    needs = Needs(engine=size * 2, cache=size * 2, home=size)
    report = ensure_space(needed_by_folder(work.settings, work.engine, needs), work.cleanup().prune)
    say(report.to_markdown())
    return report


@task(task_run_name="sweep up", **HOST_CLEANUP.options)
def sweep() -> str:
    """What dead runs left goes, and slots whose scale-down delay has passed."""
    for name in put_rollouts_right():
        say(f"a rollout that died was undone: {name}")
    report = workshop().janitor.sweep(alive_among, datetime.now(UTC))
    say(report.to_markdown())
    return report.to_markdown()


@task(task_run_name="free space", **HOST_CLEANUP.options)
def free_space() -> str:
    """Down to the low-water mark when a disk is above the high one."""
    work = workshop()
    report = ensure_space(needed_by_folder(work.settings, work.engine, Needs()), work.cleanup().prune)
    say(report.to_markdown())
    return report.to_markdown()


@task(task_run_name="the registry's garbage", **HOST_CLEANUP.options)
def give_back_registry() -> str:
    """Images in the local registry that nothing names any more; in a turn of its own, because nobody may push then."""
    work = workshop()
    with ExitStack() as turn:
        try:
            turn.enter_context(my_turn(GARBAGE_PATIENCE_S))
        except DeadlineExceeded:
            say("a run has the machine, and may push: the registry keeps its garbage until the next time")
            return "Left alone: a run had the machine."
        with work.registry(registry_credentials()) as client:
            report = RegistryGarbage(work.harbour, work.cleanup()).collect(client, datetime.now(UTC))
    say(report.in_words())
    return report.to_markdown()


@task(task_run_name="report", **HOST_CLEANUP.options)
def report_cleanup(swept: str, freed: str, given_back: str) -> None:
    """What went, for people."""
    parts = {"Swept up": swept, "Disks": freed, "Registry": given_back}
    page = "\n\n".join(f"## {title}\n{text}" for title, text in parts.items() if text)
    create_markdown_artifact(page, key="cleanup")


@contextmanager
def tidy() -> Iterator[None]:
    """However a flow ends while its process lives: no child, no temporary folder, no lease stays."""
    try:
        yield
    except BaseException:
        kill_children()
        raise
    finally:
        shutil.rmtree(work_folder(), ignore_errors=True)
        workshop().leases.give_back(run_id())


def alive_among(runs: frozenset[str]) -> frozenset[str]:
    """Which of these flow runs are not over, by the Prefect server; what it never knew is over."""
    known = [UUID(run) for run in runs if _is_uuid(run)]
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=known))) if known else []
    return frozenset(str(run.id) for run in found if run.state and not run.state.is_final())


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
