"""The local registry and the routers: containers of one small image, straight from Debian packages."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.engine import Container, ContainerSpec, Engine
from slipway.errors import RegistryUnavailable, RouterUnavailable, TemporaryError
from slipway.host import names
from slipway.image.base import bootstrap, load_recipe
from slipway.registry.client import RegistryClient
from slipway.rollout.blue_green import Slot
from slipway.rollout.haproxy import CONFIG, LIVE_PORT, PREVIEW_PORT, Router, configuration
from slipway.settings import Settings

_START_DEADLINE_S = 30.0
_REGISTRY_CONFIG = """version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: /data}
  delete: {enabled: true}
http: {addr: ":5000"}
"""


@dataclass(frozen=True)
class RouterPorts:
    """Host ports of one router: the traffic's, and the preview's."""

    live: int
    preview: int


@dataclass(frozen=True)
class Harbour:
    """Starts and finds the containers that outlive runs. `root` is the checkout that holds docker/harbour."""

    settings: Settings
    engine: Engine
    root: Path

    def ensure_image(self, on_line: Callable[[str], None] | None = None) -> str:
        """The image of registry and router, made when it is not there."""
        recipe = load_recipe(self.root / "docker" / "harbour" / "base.yaml")
        image = f"slipway/{recipe.name}:{recipe.key}"
        if not self.engine.has_image(image):
            made = bootstrap(recipe, self.settings.cache, on_line)
            self.engine.import_image(str(made.archive), image, recipe.command)
        return image

    def ensure_registry(self) -> None:
        """The local registry answers. An external one, when set, is only asked."""
        with RegistryClient(self.settings.registry, insecure=self.settings.registry_is_plain) as client:
            if not self.settings.external_registry and not self._runs(names.registry(self.settings.instance)):
                self._start_registry()
            _wait_for(client.ping, RegistryUnavailable)

    def ensure_router(self, environment: str, service: str, service_port: int, ports: RouterPorts) -> Router:
        """The router of one service in one environment answers, with the addresses of both slots."""
        folder = self.router_folder(environment, service)
        name = names.router(self.settings.instance, environment, service)
        hosts = {place: names.slot(self.settings.instance, environment, service, place) for place in Slot}
        wanted = configuration(service_port, hosts, "/router")
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / CONFIG
        if not (self._runs(name) and config.exists() and config.read_text() == wanted):
            config.write_text(wanted)
            self._start_router(name, folder, ports)
        router = Router(folder)
        _wait_for(router.weights, RouterUnavailable)
        return router

    def ensure_network(self) -> str:
        """The network on which routers reach slots exists; its name."""
        name = names.network(self.settings.instance)
        self.engine.ensure_network(name, self._labels("network"))
        return name

    def router_folder(self, environment: str, service: str) -> Path:
        """Where a router's configuration, socket and saved state are."""
        return self.settings.home / "routers" / f"{environment}-{service}"

    def _runs(self, name: str) -> bool:
        found = self.engine.find(name)
        return found is not None and found.status == "running"

    def _start_registry(self) -> Container:
        folder = self.settings.home / "registry"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yml").write_text(_REGISTRY_CONFIG)
        (folder / "data").mkdir(exist_ok=True)
        return self.engine.start(
            ContainerSpec(
                image=self.ensure_image(),
                name=names.registry(self.settings.instance),
                labels=self._labels("registry"),
                command=["docker-registry", "serve", "/registry/config.yml"],
                network=self.ensure_network(),
                volumes={str(folder): "/registry", str(folder / "data"): "/data"},
                ports={"5000/tcp": ("127.0.0.1", self.settings.registry_port)},
                restart=True,
            )
        )

    def _start_router(self, name: str, folder: Path, ports: RouterPorts) -> Container:
        return self.engine.start(
            ContainerSpec(
                image=self.ensure_image(),
                name=name,
                labels=self._labels("router"),
                command=["haproxy", "-W", "-db", "-f", f"/router/{CONFIG}"],
                network=self.ensure_network(),
                volumes={str(folder): "/router"},
                ports={
                    f"{LIVE_PORT}/tcp": ("0.0.0.0", ports.live),
                    f"{PREVIEW_PORT}/tcp": ("127.0.0.1", ports.preview),
                },
                restart=True,
            )
        )

    def _labels(self, role: str) -> dict[str, str]:
        return names.labels(self.settings.instance, role)


def _wait_for(ask: Callable[[], object], kind: type[TemporaryError]) -> None:
    give_up = time.monotonic() + _START_DEADLINE_S
    while True:
        try:
            ask()
            return
        except kind:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def port_is_free(port: int) -> bool:
    """Whether nothing listens on this port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
