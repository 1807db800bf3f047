"""A bare repository whose hook tells the installation's own receiver; pushing to it is all that a test does."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from deployments.installation import Installation
from slipway.workshop import Workshop
from tests.engine.conftest import ROOT, GitRepository, Harness
from tests.engine.runs import toy_in, until
from tests.ports import free_port

SECRET, ADMIN = "correct horse battery", "admin-token-for-tests"


class Pushed:
    """A clone with the toy, its bare origin, and what its pushes caused."""

    def __init__(self, folder: Path, hooks: str, shape: str) -> None:
        self.clone: GitRepository = toy_in(folder)
        self.bare = folder / "origin.git"
        self.clone.git("init", "--quiet", "--bare", "--initial-branch", "main", str(self.bare))
        hook = self.bare / "hooks" / "post-receive"
        shutil.copy(ROOT / "deployments" / "webhook" / "hook.py", hook)
        hook.chmod(0o755)
        (folder / "secret").write_text(SECRET)
        told = {"url": hooks, "repository": f"acme/{shape}", "shape": shape, "cloneUrl": self.url}
        for key, value in {**told, "secretFile": str(folder / "secret")}.items():
            self.clone.git("-C", str(self.bare), "config", f"slipway.{key}", value)
        self.clone.git("remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        """What the installation clones."""
        return self.bare.as_uri()

    def push(self, *words: str) -> float:
        """Push; when that began, in seconds since the epoch."""
        began = time.time()
        self.clone.git("push", "--quiet", "origin", *(words or ("main",)))
        return began

    def runs(self) -> list[FlowRun]:
        """The runs that pushes to this repository caused, oldest first."""

        async def ask() -> list[FlowRun]:
            async with get_client() as client:
                return await client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=100)

        mine = [run for run in asyncio.run(ask()) if run.parameters.get("repository") == self.url]
        return sorted(mine, key=lambda run: run.created.timestamp() if run.created else 0.0)

    def run_of(self, revision: str) -> FlowRun:
        """The run of one pushed revision, once it has started."""

        def started() -> FlowRun | None:
            return next((run for run in self.runs() if run.start_time and _revision(run) == revision), None)

        found: FlowRun = until(started, 60)
        return found

    def ended(self, revision: str, deadline_s: float = 180) -> FlowRun:
        """The run of one pushed revision, once it is over."""

        def over() -> FlowRun | None:
            run = self.run_of(revision)
            return run if run.state and run.state.is_final() else None

        found: FlowRun = until(over, deadline_s)
        return found


def _revision(run: FlowRun) -> str:
    return str(run.parameters.get("revision") or run.parameters.get("ref"))


@contextmanager
def receiving(harness: Harness) -> Iterator[str]:
    """The installation takes deliveries from both shapes of hook; the address for them."""
    settings = replace(harness.workshop.settings, webhook_port=free_port())
    (settings.home / "secret").write_text(SECRET)
    (settings.home / "admin").write_text(ADMIN)
    sources = "".join(
        f"  - {{kind: {kind}, secrets: [{{file: {settings.home}/secret}}], repositories: [{{name: acme/{kind}}}]}}\n"
        for kind in ("github", "gitlab")
    )
    (settings.home / "webhook.yaml").write_text(f"admin_token: {{file: {settings.home}/admin}}\nsources:\n{sources}")
    installation = Installation(Workshop(settings, ROOT))
    installation.up(print)
    url = f"http://127.0.0.1:{settings.webhook_port}"
    try:
        until(lambda: _is_up(url))
        yield url
    finally:
        installation.receiver.stop()
        installation.sender.stop()
        (settings.home / "webhook.yaml").unlink()


def delivery_of(url: str, revision: str) -> dict[str, Any]:
    """What the deliveries page knows of the push of this revision."""
    listed = httpx.get(f"{url}/api/deliveries", auth=("admin", ADMIN), timeout=10).json()
    found: dict[str, Any] = next(one for one in listed if any(it["after"] == revision for it in one["events"]))
    return found


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
