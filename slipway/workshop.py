"""Everything one run works with, opened from the settings: the only place where adapters are put together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from slipway.dependencies.wheelhouse import Wheelhouse
from slipway.engine import Engine
from slipway.host.cleanup import Cleanup
from slipway.host.harbour import Harbour
from slipway.host.janitor import Janitor
from slipway.identity import Digest, Repository
from slipway.image.builder import Builder, find_builder
from slipway.ledger.database import open_database
from slipway.ledger.leases import Leases
from slipway.ledger.releases import Releases
from slipway.ledger.slots import Slots
from slipway.ledger.turns import Turns
from slipway.model import ModelStore
from slipway.registry.client import RegistryClient
from slipway.registry.credentials import Credentials, config_path, read_credentials
from slipway.rollout.deploy import Deployer
from slipway.rollout.environment import Environment, load_environment
from slipway.rollout.places import Candidate, Places
from slipway.rollout.recovery import Recovery
from slipway.settings import Settings
from slipway.source.git import GitSource
from slipway.verify.facts import Machine
from slipway.verify.machine import observe_machine

_CREDENTIALS_DEADLINE_S = 20.0


@dataclass(frozen=True)
class Workshop:
    """Adapters of one installation, opened when first used. `root` is the pipeline's own checkout."""

    settings: Settings
    root: Path

    @cached_property
    def engine(self) -> Engine:
        """The Docker Engine."""
        return Engine()

    @cached_property
    def source(self) -> GitSource:
        """Git, with its mirrors."""
        return GitSource(self.settings.cache / "git")

    @cached_property
    def wheelhouse(self) -> Wheelhouse:
        """Wheels by lock."""
        return Wheelhouse(self.settings.cache / "wheels")

    @cached_property
    def models(self) -> ModelStore:
        """Models by inputs."""
        return ModelStore(self.settings.cache / "models")

    @cached_property
    def builder(self) -> Builder:
        """What builds images here."""
        return find_builder(self.settings.cache / "buildah")

    @cached_property
    def machine(self) -> Machine:
        """What this machine is."""
        return observe_machine()

    @cached_property
    def harbour(self) -> Harbour:
        """Local registry and routers."""
        return Harbour(self.settings, self.engine, self.root)

    @cached_property
    def ledger(self) -> sa.Engine:
        """The ledger's database."""
        return open_database(self.settings.ledger_url)

    @cached_property
    def releases(self) -> Releases:
        """Releases and evidence."""
        return Releases(self.ledger)

    @cached_property
    def slots(self) -> Slots:
        """Desired state of the environments."""
        return Slots(self.ledger)

    @cached_property
    def leases(self) -> Leases:
        """Who needs which image."""
        return Leases(self.ledger)

    @cached_property
    def turns(self) -> Turns:
        """Which run ships what."""
        return Turns(self.ledger)

    @property
    def janitor(self) -> Janitor:
        """Reaps what dead runs left."""
        return Janitor(self.settings, self.engine, self.slots)

    def cleanup(self) -> Cleanup:
        """Frees space; only images of services the ledger knows are ours."""
        images = {release.facts["service"]["image"] for release in self.releases.newest(1000)}
        return Cleanup(
            settings=self.settings,
            engine=self.engine,
            wheelhouse=self.wheelhouse,
            builder=self.builder,
            leases=self.leases,
            slots=self.slots,
            releases=self.releases,
            repositories=sorted(str(self.repository(image)) for image in images),
        )

    def repository(self, name: str) -> Repository:
        """An image repository in the build registry."""
        return Repository(self.settings.registry, name)

    def docker_credentials(self) -> Credentials | None:
        """What this user's Docker config knows of the build registry."""
        config = config_path(os.environ, Path.home())
        return read_credentials(self.settings.registry, config, deadline_s=_CREDENTIALS_DEADLINE_S)

    def registry(self, credentials: Credentials | None = None) -> RegistryClient:
        """A client of the build registry, with these credentials or the Docker config's."""
        found = credentials or self.docker_credentials()
        return RegistryClient(self.settings.registry, found, insecure=self.settings.registry_is_plain)

    def environment(self, name: str) -> Environment:
        """One environment of this installation."""
        own = self.root / "deployments" / "environments.yaml"
        file = Path(self.settings.environments) if self.settings.environments else own
        return load_environment(file, name, self.settings.port_offset)

    def deployer(self, environment: str) -> Deployer:
        """What brings releases into an environment."""
        return Deployer(self._places(environment))

    def recovery(self, environment: str) -> Recovery:
        """What puts an environment right after a death."""
        return Recovery(self._places(environment))

    def candidate(self, service: str, digest: Digest, image: str, flow_run: str = "") -> Candidate:
        """A recorded release as something that can be started. Raises `LedgerError` when it was never recorded."""
        release = self.releases.get(service, digest)
        return Candidate(release.described, digest, image, release.identity, flow_run)

    def _places(self, environment: str) -> Places:
        return Places(self.engine, self.harbour, self.slots, self.environment(environment), self.machine)

    def work_folder(self, flow_run: str) -> Path:
        """A run's own temporary folder; the run removes it, or the janitor does."""
        return self.settings.home / "work" / flow_run
