"""One installation on a machine: registry, Prefect server, worker and deployments; started, found again, or stopped."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from deployments.automations import HEARTBEAT_S, apply_automations
from slipway.engine import INSTANCE
from slipway.errors import PortTaken, PrefectUnavailable, SlipwayError
from slipway.host import names
from slipway.host.daemons import Daemon
from slipway.host.harbour import port_is_free
from slipway.host.install import ensure_engine, ensure_tools
from slipway.processes import run
from slipway.workshop import Workshop
from tasks.outside import registry_credentials

_SERVER_DEADLINE_S = 120.0
_POOL = "slipway"


@dataclass(frozen=True)
class Installation:
    """What `up` starts and `down` stops; nothing else on the machine is touched."""

    workshop: Workshop

    def up(self, say: Callable[[str], None]) -> None:
        """Everything runs and every deployment is registered; what runs already is left alone."""
        settings = self.workshop.settings
        settings.home.mkdir(parents=True, exist_ok=True)
        say(f"Docker Engine {ensure_engine(settings, say)}")
        ensure_tools(say)
        self.workshop.harbour.ensure_registry()
        say(f"registry at {settings.registry}")
        self._ensure_server()
        self._restore(say)
        say(f"Prefect UI at {settings.prefect_ui}")
        self.forkserver.start(self._python("deployments.forkserver"), self.environment(), self._root)
        self._ensure_deployments(say)
        self.worker.start(self._python("prefect", "worker", "start", "--pool", _POOL), self.environment(), self._root)
        self._ensure_webhooks(say)

    def down(self, say: Callable[[str], None]) -> None:
        """Stop what listens and works, remove our containers and network. Data in the home folder stays."""
        for daemon in (self.receiver, self.sender, self.worker, self.forkserver, self.server):
            if daemon.stop():
                say(f"stopped {daemon.name}")
        settings, engine = self.workshop.settings, self.workshop.engine
        for container in engine.labelled({INSTANCE: settings.instance}):
            engine.remove(container.name)
            say(f"removed {container.name}")
        engine.remove_network(names.network(settings.instance))
        engine.remove_network(names.strangers_network(settings.instance))

    def environment(self) -> dict[str, str]:
        """Variables of every Prefect process of this installation."""
        settings = self.workshop.settings
        return {
            **settings.as_environment(),
            "SLIPWAY_ROOT": str(self._root),
            "SLIPWAY_PYTHON": sys.executable,
            "PREFECT_HOME": str(settings.home / "prefect"),
            "PREFECT_API_URL": settings.prefect_api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "0.5",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
            "PREFECT_LOGGING_LEVEL": "INFO",
            "PYTHONPATH": str(self._root),
        }

    @property
    def server(self) -> Daemon:
        """The Prefect server."""
        return Daemon("prefect-server", self.workshop.settings.home)

    @property
    def worker(self) -> Daemon:
        """The worker that runs flows as processes."""
        return Daemon("prefect-worker", self.workshop.settings.home)

    @property
    def forkserver(self) -> Daemon:
        """What the worker's runs are forked from."""
        return Daemon("forkserver", self.workshop.settings.home)

    @property
    def receiver(self) -> Daemon:
        """What takes deliveries from git hosts."""
        return Daemon("webhook-receiver", self.workshop.settings.home)

    @property
    def sender(self) -> Daemon:
        """What brings deliveries to Prefect."""
        return Daemon("webhook-sender", self.workshop.settings.home)

    @property
    def _root(self) -> Path:
        return self.workshop.root

    def _restore(self, say: Callable[[str], None]) -> None:
        """What the ledger says is live serves, also after `down` or a restart of the machine."""
        work = self.workshop
        for environment, service in sorted({found[:2] for found in work.slots.everywhere()}):
            try:
                recovery = work.recovery(environment)
                for place in recovery.restore(service, partial(work.candidate, service), registry_credentials()):
                    say(f"{service} in {environment} stands in its {place} slot again")
            except SlipwayError as failed:
                say(f"{service} in {environment} was not brought back: {failed}")

    def _python(self, *module_and_arguments: str) -> list[str]:
        return [sys.executable, "-m", *module_and_arguments]

    def _ensure_server(self) -> None:
        settings = self.workshop.settings
        if not self.server.pid:
            if not port_is_free(settings.prefect_port):
                raise PortTaken(
                    f"port {settings.prefect_port}, meant for the Prefect server, belongs to another program",
                    next_step="stop that program, or choose another port: SLIPWAY_PREFECT_PORT=4300 make ship",
                )
            port = str(settings.prefect_port)
            command = self._python("deployments.prefect_server", "--host", "127.0.0.1", "--port", port)
            self.server.start(command, self.environment(), self._root)
        give_up = time.monotonic() + _SERVER_DEADLINE_S
        while not _is_healthy(settings.prefect_api):
            if time.monotonic() > give_up or not self.server.pid:
                raise PrefectUnavailable(
                    "the Prefect server did not start",
                    tail=self.server.last_words(),
                    next_step=f"read {self.server.log}, then run the same command again",
                )
            time.sleep(0.3)

    def _ensure_webhooks(self, say: Callable[[str], None]) -> None:
        """Receiver and sender run where somebody has set up webhooks (or polling, which needs the sender)."""
        settings, config = self.workshop.settings, self.workshop.settings.home / "webhook.yaml"
        if not config.exists():
            return
        port = str(settings.webhook_port)
        receive = self._python("deployments.webhook", "receive", "--config", str(config), "--port", port)
        self.receiver.start(receive, self.environment(), self._root)
        self.sender.start(self._python("deployments.webhook", "send"), self.environment(), self._root)
        say(f"deliveries are taken at http://127.0.0.1:{port}/hooks")

    def _ensure_deployments(self, say: Callable[[str], None]) -> None:
        """Pool, automations and deployments, again only when prefect.yaml, the flows or the policies changed."""
        marker = self.workshop.settings.home / "run" / "deployed"
        wanted = _fingerprint(self._root) + str(self.server.pid)
        if marker.exists() and marker.read_text() == wanted:
            return
        asyncio.run(_prepare_pool())
        run(
            self._python("prefect", "--no-prompt", "deploy", "--all"),
            deadline_s=180,
            cwd=self._root,
            env=self.environment(),
        )
        marker.write_text(wanted)
        say("deployments registered")


async def _prepare_pool() -> None:
    async with get_client() as client:
        template = ProcessWorker.get_default_base_job_template()
        with contextlib.suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name=_POOL, type="process", base_job_template=template))
        await apply_automations(client)


def _fingerprint(root: Path) -> str:
    files = (
        root / "prefect.yaml",
        root / "tasks" / "policies.py",
        root / "deployments" / "automations.py",
        *sorted((root / "flows").glob("*.py")),
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _is_healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
