"""The two slots of a service in one environment, on the engine and behind its router: what rollouts are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from slipway.engine import Container, Engine
from slipway.filelock import held
from slipway.host import names
from slipway.host.harbour import Harbour, RouterPorts
from slipway.host.janitor import rollout_lock
from slipway.identity import Digest
from slipway.ledger.slots import Slots
from slipway.rollout.blue_green import Slot, SlotState, live_slot, weights
from slipway.rollout.environment import Environment
from slipway.rollout.haproxy import Router
from slipway.service.model import Service
from slipway.verify.container import Trial, serving_spec, wait_until_ready
from slipway.verify.facts import Machine

_DRAIN_S = 20


@dataclass(frozen=True)
class Candidate:
    """The release to bring in. `facts` become the container's environment, so that it can say what it is."""

    service: Service
    digest: Digest
    image: str
    facts: Mapping[str, str]
    flow_run: str = ""


@dataclass(frozen=True)
class Places:
    """One environment: its containers, its routers, and what the ledger wants of them."""

    engine: Engine
    harbour: Harbour
    slots: Slots
    environment: Environment
    machine: Machine

    @contextmanager
    def held(self, service: str, deadline_s: float) -> Iterator[None]:
        """Nobody else changes this service here. Raises `DeadlineExceeded`."""
        with held(rollout_lock(self.harbour.settings, self.environment.name, service), deadline_s=deadline_s):
            yield

    def read(self, service: str) -> dict[Slot, SlotState]:
        """What the ledger wants."""
        return self.slots.read(self.environment.name, service)

    def observed(self, service: str) -> dict[Slot, int]:
        """The router's own word on who has the traffic; nobody has without a router."""
        if self.engine.find(names.router(self._instance, self.environment.name, service)) is None:
            return weights(None)
        return Router(self.harbour.router_folder(self.environment.name, service)).weights()

    def ports(self, service: Service) -> RouterPorts:
        """The router's host ports."""
        return self.environment.ports(service.name)

    def router(self, service: Service) -> Router:
        """The service's router, started when it does not run."""
        return self.harbour.ensure_router(
            self.environment.name, service.name, service.serving.port, self.ports(service)
        )

    def container(self, service: str, place: Slot) -> Container | None:
        """What stands in a slot, by the engine."""
        return self.engine.find(self._name(service, place))

    def start(self, candidate: Candidate, place: Slot) -> Container:
        """Put a release into a slot and wait until it is ready; the ledger is not asked or told."""
        service, name = candidate.service, self._name(candidate.service.name, place)
        trial = Trial(candidate.image, name, names.labels(self._instance, "slot"), service, self.machine)
        network = self.harbour.ensure_network()
        started = self.engine.start(serving_spec(trial, network, candidate.facts, restart=True))
        wait_until_ready(self.engine, started, service)
        return started

    def fill(self, candidate: Candidate, place: Slot) -> Container:
        """Put a release into a slot to be tried: the ledger knows it as neither live nor standing by."""
        service = candidate.service.name
        # A rollout that died after the switch may have left requests in flight here.
        self.engine.stop(self._name(service, place), grace_s=_DRAIN_S)
        state = SlotState(digest=candidate.digest, image=candidate.image, live=False)
        self.slots.occupy(self.environment.name, service, place, state)
        return self.start(candidate, place)

    def clear(self, service: str, place: Slot) -> None:
        """Nothing stands in a slot any more; requests in flight there may finish."""
        self.engine.stop(self._name(service, place), grace_s=_DRAIN_S)
        self.slots.vacate(self.environment.name, service, place)

    def reconcile(self, service: str) -> None:
        """The router does what the ledger wants, and no half-tried release stays: a run may have died in between."""
        slots = self.read(service)
        wanted = weights(live_slot(slots))
        if self.observed(service) != wanted:
            Router(self.harbour.router_folder(self.environment.name, service)).shift(wanted)
        for place, state in slots.items():
            if state.is_being_tried:
                self.clear(service, place)

    @property
    def _instance(self) -> str:
        return self.harbour.settings.instance

    def _name(self, service: str, place: Slot) -> str:
        return names.slot(self._instance, self.environment.name, service, place)
