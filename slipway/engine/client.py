"""The Docker Engine: containers and images, through docker-py. Nothing outside this folder imports it.

Every container carries the labels of the run that made it, so that hooks and the janitor find what a dead run left.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import docker
import requests
from docker.errors import APIError, ImageNotFound, NotFound

from slipway.engine.containers import Container, ContainerSpec, Finished, arguments, described
from slipway.engine.failures import translated
from slipway.errors import PermanentError
from slipway.registry.credentials import Credentials


class Engine:
    """A connection to one Docker Engine. Raises `EngineUnavailable` whenever it stops answering."""

    def __init__(self, deadline_s: int = 120) -> None:
        with translated():
            self._docker = docker.from_env(timeout=deadline_s)

    def version(self) -> str:
        """The engine's version; also the proof that it answers."""
        with translated():
            return str(self._docker.version()["Version"])

    def has_gpu_runtime(self) -> bool:
        """Whether this engine can hand a GPU to a container."""
        with translated():
            return "nvidia" in self._docker.info().get("Runtimes", {})

    def data_folder(self) -> str:
        """Where the engine keeps images: the filesystem whose space matters."""
        with translated():
            return str(self._docker.info()["DockerRootDir"])

    def pull(self, reference: str, credentials: Credentials | None = None) -> None:
        """Bring an image here by digest; quick when it is here already. Without credentials, the Docker config's.

        Raises `PermanentError` when its registry does not hold it (any more).
        """
        login = _login(credentials) if credentials else None
        with translated():
            try:
                self._docker.images.get(reference)
            except ImageNotFound:
                self._bring(reference, login)

    def image_size(self, reference: str) -> int:
        """Unpacked bytes of an image; 0 when it is not here (any more)."""
        with translated():
            try:
                return int(self._docker.images.get(reference).attrs["Size"])
            except ImageNotFound:
                return 0

    def layers(self, reference: str) -> tuple[tuple[str, int], ...]:
        """(instruction, unpacked bytes) of each layer that holds files, oldest first."""
        with translated():
            history = self._docker.images.get(reference).history()
        return tuple((step["CreatedBy"], int(step["Size"])) for step in reversed(history) if step["Size"])

    def import_image(self, archive: str, name: str, command: Sequence[str]) -> None:
        """Make an image from a root filesystem archive."""
        with translated():
            change = f"CMD {json.dumps(list(command))}"
            self._docker.api.import_image_from_file(archive, repository=name, changes=[change])

    def has_image(self, reference: str) -> bool:
        """Whether the engine holds this image."""
        with translated():
            try:
                self._docker.images.get(reference)
            except ImageNotFound:
                return False
            return True

    def remove_image(self, reference: str) -> None:
        """Forget an image; quiet when it is gone, and when a container still needs it."""
        with translated(), contextlib.suppress(NotFound, ImageNotFound):
            self._docker.images.remove(reference, force=False, noprune=False)

    def image_references(self, repository: str) -> tuple[str, ...]:
        """All `repository@digest` references held here of one repository."""
        with translated():
            found = self._docker.images.list(name=repository)
        return tuple(digest for image in found for digest in image.attrs.get("RepoDigests") or ())

    def run_to_end(self, spec: ContainerSpec, deadline_s: float) -> Finished:
        """Run a container until it ends or the deadline passes; it is gone afterwards, whatever happens."""
        started = time.monotonic()
        self.remove(spec.name)
        try:
            with translated():
                container = self._docker.containers.run(**arguments(spec))
                exit_code = _wait(container, deadline_s)
                container.reload()
                return Finished(
                    exit_code=exit_code,
                    stdout=container.logs(stdout=True, stderr=False).decode(errors="replace"),
                    stderr=container.logs(stdout=False, stderr=True).decode(errors="replace"),
                    out_of_memory=bool(container.attrs["State"].get("OOMKilled")),
                    seconds=time.monotonic() - started,
                )
        finally:
            self.remove(spec.name)

    def start(self, spec: ContainerSpec) -> Container:
        """Start a container that stays, replacing one of the same name. Raises `PortTaken`."""
        self.remove(spec.name)
        with translated():
            try:
                started = self._docker.containers.run(**arguments(spec))
            except APIError:
                self.remove(spec.name)
                raise
            started.reload()
            return described(started)

    def find(self, name: str) -> Container | None:
        """The container of this name, or None."""
        with translated():
            try:
                return described(self._docker.containers.get(name))
            except NotFound:
                return None

    def labelled(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """All containers, running or not, that carry these labels."""
        with translated():
            wanted = [f"{key}={value}" for key, value in labels.items()]
            found = self._docker.containers.list(all=True, filters={"label": wanted}, ignore_removed=True)
            return tuple(described(item) for item in found)

    def remove(self, name: str) -> None:
        """Stop and delete a container; quiet when it is not there."""
        with translated(), contextlib.suppress(NotFound):
            self._docker.containers.get(name).remove(force=True, v=True)

    def stop(self, name: str, grace_s: int) -> None:
        """Ask a container to end, then delete it: requests in flight may finish within the grace."""
        with translated(), contextlib.suppress(NotFound):
            container = self._docker.containers.get(name)
            container.stop(timeout=grace_s)
            container.remove(force=True, v=True)

    def logs(self, name: str, lines: int = 40) -> str:
        """The last lines a container wrote."""
        with translated():
            try:
                return str(self._docker.containers.get(name).logs(tail=lines).decode(errors="replace"))
            except NotFound:
                return ""

    def resident_memory_mb(self, name: str) -> float:
        """Anonymous memory of a container, without the page cache, in MB."""
        with translated():
            stats: Any = self._docker.containers.get(name).stats(stream=False, one_shot=True)
        memory = stats["memory_stats"]
        detail = memory.get("stats", {})
        return float(detail.get("total_rss", detail.get("anon", memory.get("usage", 0)))) / 1e6

    def ensure_network(self, name: str, labels: Mapping[str, str]) -> None:
        """A bridge network of this name exists."""
        with translated():
            if not self._docker.networks.list(names=[f"^{name}$"]):
                self._docker.networks.create(name, driver="bridge", labels=dict(labels))

    def remove_network(self, name: str) -> None:
        """Delete a network; quiet when it is not there."""
        with translated():
            for network in self._docker.networks.list(names=[f"^{name}$"]):
                network.remove()

    def _bring(self, reference: str, login: dict[str, str] | None) -> None:
        try:
            self._docker.images.pull(reference, auth_config=login)
        except NotFound as gone:
            raise PermanentError(
                "the registry does not hold this image",
                subject=reference,
                tail=str(gone.explanation),
                next_step="ship its revision again: `slipway ship --ref <revision>`",
            ) from gone


def _login(credentials: Credentials) -> dict[str, str]:
    if credentials.identity_token:
        return {"identitytoken": credentials.identity_token}
    return {"username": credentials.username, "password": credentials.password}


def _wait(container: Any, deadline_s: float) -> int | None:
    try:
        return int(container.wait(timeout=deadline_s)["StatusCode"])
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError) as late:
        # docker-py reports its own read timeout as either; a dead engine fails the ping.
        container.client.ping()
        if "timed out" not in str(late).lower():
            raise
        container.kill()
        return None
