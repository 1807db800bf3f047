"""What tasks work with: one workshop per process, this run's identity, its logger, and credentials from blocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from prefect import get_run_logger
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from slipway.host import names
from slipway.image.base import Login
from slipway.redaction import redact
from slipway.registry.credentials import Credentials, write_config
from slipway.settings import Settings
from slipway.workshop import Workshop

ROOT = Path(__file__).resolve().parent.parent
CREDENTIALS_BLOCK = "slipway-registry"
_LEASE = timedelta(hours=2)


@cache
def workshop() -> Workshop:
    """The adapters of this process."""
    return Workshop(Settings.from_environment(), ROOT)


def run_id() -> str:
    """The flow run that this code works for."""
    return str(flow_run.id or "by-hand")


def work_folder() -> Path:
    """This run's temporary folder."""
    return workshop().work_folder(run_id())


def container_labels(role: str) -> dict[str, str]:
    """Labels of a container that must not outlive this run."""
    return names.labels(workshop().settings.instance, role, run_id())


def container_name(role: str) -> str:
    """A name that a retry of the same run gives again, so that it replaces what the try before left."""
    return f"{workshop().settings.instance}-{role}-{run_id()[:8]}"


def lease(*things: str) -> None:
    """This run needs these things: cleaning up leaves them alone until the run ends, or the lease does."""
    now = datetime.now(UTC)
    for thing in things:
        workshop().leases.take(thing, run_id(), now + _LEASE, now)


def say(line: str) -> None:
    """One line of a tool's output into the run's log, redacted."""
    if line.strip():
        get_run_logger().info(redact(line))


def listener() -> Callable[[str], None]:
    """`say`, for the threads that read a tool's output: they do not know which run they belong to."""
    logger = get_run_logger()
    return lambda line: logger.info(redact(line)) if line.strip() else None


def registry_credentials() -> Credentials | None:
    """From the DockerRegistryCredentials block `slipway-registry` when somebody made one, else the Docker config's.

    The local registry needs none.
    """
    if not workshop().settings.external_registry:
        return None
    from prefect_docker import DockerRegistryCredentials  # 0.2 s, which a run at the local registry need not wait for

    try:
        block = DockerRegistryCredentials.load(CREDENTIALS_BLOCK)
    except (ValueError, ObjectNotFound):
        return workshop().docker_credentials()
    return Credentials(block.username, block.password.get_secret_value())


def login() -> Login:
    """How programs enter the build registry: they read files, and this one goes with the run's folder."""
    settings, found = workshop().settings, registry_credentials()
    file = write_config(work_folder() / "login" / "config.json", settings.registry, found) if found else None
    return Login(settings.registry_is_plain, file)
