"""Watching, killing and cancelling one real flow run, and looking for what it left."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.states import Cancelling

from slipway.engine import FLOW_RUN
from slipway.filelock import held
from slipway.processes import run
from slipway.verify.watch import LoadGenerator, LoadReport
from tests.engine.conftest import TOY, GitRepository, Harness

ASKED = {"numbers": [21]}


def toy_in(folder: Path) -> GitRepository:
    """A fresh repository with the toy service, for fixtures that outlive one test."""
    repository = GitRepository(folder / "toy")
    shutil.copytree(TOY, repository.path)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.commit(message=f"the toy of {folder.name}")
    return repository


def until(happened: Callable[[], Any], deadline_s: float = 60.0, every_s: float = 0.05) -> Any:
    """The first true answer."""
    give_up = time.monotonic() + deadline_s
    while time.monotonic() < give_up:
        found = happened()
        if found:
            return found
        time.sleep(every_s)
    raise AssertionError(f"did not happen within {deadline_s:.0f} s")


@contextmanager
def watched(url: str) -> Iterator[list[LoadReport]]:
    """Requests at the live address throughout the block, with kept and with fresh connections; their two reports."""
    reports: list[LoadReport] = []
    with ExitStack() as stack:
        loads = [
            stack.enter_context(LoadGenerator(url, "/double", ASKED, rate_per_s=25, keep_alive=kept))
            for kept in (True, False)
        ]
        for load in loads:
            load.wait_for_more(5)
        yield reports
        for load in loads:
            load.wait_for_more(5)
    reports.extend(load.report for load in loads)


def task_states(flow_run: UUID) -> dict[str, str]:
    """The state of each task run, by name."""

    async def ask() -> dict[str, str]:
        async with get_client() as client:
            found = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])))
        return {task.name: task.state_name or "" for task in found}

    return asyncio.run(ask())


def wait_for_task(flow_run: UUID, name: str, deadline_s: float = 90.0) -> None:
    """Return when a task whose name starts so is running."""

    def running() -> bool:
        return any(task.startswith(name) and state == "Running" for task, state in task_states(flow_run).items())

    until(running, deadline_s)


def process_of(flow_run: UUID) -> psutil.Process:
    """The process that runs the flow: the child of the worker, not the tools of a task."""
    mine = [process for process in processes_of(flow_run) if "prefect.engine" in command(process)]
    assert mine, [command(process) for process in processes_of(flow_run)]
    return mine[-1]


def command(process: psutil.Process) -> str:
    """A process's command line; nothing when it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def processes_of(flow_run: UUID) -> list[psutil.Process]:
    """Every process that carries the run's id in its environment or on its command line."""
    return [process for process in psutil.process_iter() if _belongs(process, str(flow_run))]


def _belongs(process: psutil.Process, flow_run: str) -> bool:
    try:
        words = [*process.cmdline(), process.environ().get("PREFECT__FLOW_RUN_ID", "")]
        return process.status() != psutil.STATUS_ZOMBIE and any(flow_run in word for word in words)
    except psutil.Error:
        return False


def cancel(flow_run: UUID) -> None:
    """What the button in the UI does."""

    async def ask() -> None:
        async with get_client() as client:
            await client.set_flow_run_state(flow_run, Cancelling())

    asyncio.run(ask())


def leftovers(harness: Harness, flow_run: UUID) -> list[str]:
    """Processes, containers and folders of a run that is over."""
    work = harness.workshop
    found = [f"process {process.pid} {command(process)}" for process in processes_of(flow_run)]
    found += [f"container {one.name}" for one in work.engine.labelled({FLOW_RUN: str(flow_run)})]
    if work.work_folder(str(flow_run)).exists():
        found.append(f"folder {work.work_folder(str(flow_run))}")
    return found


def half_built(harness: Harness) -> list[str]:
    """Mounts and working containers in the builder's store while nothing builds.

    All runs of the machine share the store: without its lock, another run's build under way would be among them, and
    buildah fails when one ends while it lists them.
    """
    storage = harness.workshop.settings.cache / "buildah"
    options = ["--root", str(storage / "storage"), "--runroot", str(storage / "run")]
    with held(storage / "build.lock", deadline_s=60):
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(storage) in line]
        containers = run(["buildah", *options, "containers", "--quiet"], deadline_s=30).stdout.split()
    return [f"mount {line}" for line in mounts] + [f"build container {name}" for name in containers]


def occupied(harness: Harness) -> dict[str, str]:
    """Who stands in which slot, by the engine: container name -> status."""
    prefix = f"{harness.workshop.settings.instance}-local-toy-"
    mine = harness.workshop.engine.labelled({"slipway.role": "slot", "slipway.instance": prefix.split("-local-")[0]})
    return {one.name.removeprefix(prefix): one.status for one in mine}
