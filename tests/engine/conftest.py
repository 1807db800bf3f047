"""One real installation for all engine tests: its own registry, Prefect server, worker, ports and home."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from slipway.settings import Settings
from slipway.workshop import Workshop
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "fixtures" / "toy"
TOY_PORTS = 8080
"""The first of its two ports, in its `environments.yaml`."""


@dataclass(frozen=True)
class RegistryAddress:
    """Where the local registry answers."""

    host: str


@dataclass(frozen=True)
class GitRepository:
    """A real repository in a folder, holding the toy service."""

    path: Path

    def git(self, *words: str) -> str:
        """One git command, with an author."""
        identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
        return subprocess.run(
            ["git", *identity, *words], cwd=self.path, check=True, capture_output=True, text=True, timeout=60
        ).stdout.strip()

    def commit(self, changes: dict[str, str] | None = None, message: str = "change") -> str:
        """Write files and commit them all; the new revision."""
        for name, text in (changes or {}).items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def replace(self, name: str, old: str, new: str, message: str = "change") -> str:
        """Commit one replaced text; it must be there."""
        text = (self.path / name).read_text()
        assert old in text
        return self.commit({name: text.replace(old, new)}, message)


@dataclass(frozen=True)
class Harness:
    """The installation under test, and shipping through its deployments."""

    workshop: Workshop
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """The live address of the toy."""
        return f"http://127.0.0.1:{self.workshop.environment('local').ports('toy').live}"

    def start(self, deployment: str = "ship/ship", **parameters: Any) -> Any:
        """Start a run through its deployment; its id."""
        from deployments import runs

        return asyncio.run(runs.start(deployment, parameters))

    def wait(self, run: Any) -> Any:
        """Follow a run to its end (`deployments.runs.Ended`)."""
        from deployments import runs

        return asyncio.run(asyncio.wait_for(runs.follow(run, _Silent()), 300))

    def ship(self, repository: GitRepository, **parameters: Any) -> Any:
        """Ship and wait."""
        return self.wait(self.start(repository=str(repository.path), **parameters))

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The `slipway` command of this checkout against this installation."""
        command = [sys.executable, "-c", "from deployments.cli import main; main()"]
        return subprocess.run(
            [*command, *words], env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=300
        )


class _Silent:
    def show(self, steps: object) -> None:
        """Nothing is shown in tests."""


@pytest.fixture(scope="session")
def harness() -> Iterator[Harness]:
    """The installation; everything it made is gone afterwards, except the content-addressed cache."""
    home = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    settings = replace(
        Settings.from_environment(),
        home=home,
        instance=f"slipway-test-{os.getpid()}",
        registry_port=free_port(),
        prefect_port=free_port(),
        port_offset=free_port(row=2) - TOY_PORTS,
        environments=str(TOY / "environments.yaml"),
    )
    environment = settings.as_environment()
    os.environ.update(
        environment,
        PREFECT_API_URL=settings.prefect_api,
        PREFECT_HOME=str(home / "prefect"),
        PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED="false",  # a nightly rebuild in the middle of a test proves nothing
    )
    from prefect.context import refresh_global_settings_context

    from deployments.installation import Installation

    refresh_global_settings_context()  # a test module may have imported Prefect, and so its settings, before
    workshop = Workshop(settings, ROOT)
    installation = Installation(workshop)
    try:
        installation.up(print)
        yield Harness(workshop, environment)
    finally:
        installation.down(print)
        for reference in workshop.engine.image_references(f"{settings.registry}/*"):
            workshop.engine.remove_image(reference)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def toy(tmp_path: Path) -> GitRepository:
    """A fresh repository with the toy service in one commit on main."""
    repository = GitRepository(tmp_path / "toy")
    shutil.copytree(TOY, repository.path)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.commit(message=f"the toy of {tmp_path.name}")
    return repository


@pytest.fixture(scope="session")
def registry(harness: Harness) -> RegistryAddress:
    """The installation's own registry."""
    return RegistryAddress(harness.workshop.settings.registry)


@pytest.fixture
def spare_bridge() -> Iterator[str]:
    """A bridge for a second engine: one started with `--bridge=none` deletes the first one's docker0."""
    name = f"slip{os.getpid() % 10**9}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True, timeout=10)
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True, timeout=10)
