"""Blue/green on a real engine and a real router. Until the switch, and after any failure, the old release serves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from slipway.errors import RolloutFailed, RouterUnavailable, SlipwayError
from slipway.identity import Digest
from slipway.rollout.blue_green import Slot, live_slot, rollback_target, slot_for, weights
from slipway.rollout.haproxy import Router
from slipway.rollout.places import Candidate, Places
from slipway.service.model import Service
from slipway.verify.container import check_answer, wait_until_ready

_LOCK_DEADLINE_S = 900.0
_PREVIEW_DEADLINE_S = 15.0


@dataclass(frozen=True)
class Deployed:
    """How a rollout ended: what serves where, and what it replaced."""

    url: str
    slot: Slot
    digest: Digest
    replaced: Digest | None
    seconds: float


@dataclass(frozen=True)
class Deployer:
    """Brings releases into one environment."""

    places: Places

    def serves(self, service: Service, digest: Digest) -> bool:
        """Whether this digest is live, by the ledger and by the router, and its container runs."""
        slots = self.places.read(service.name)
        live = live_slot(slots)
        if live is None or slots[live].digest != digest:
            return False
        container = self.places.container(service.name, live)
        try:
            return container is not None and container.status == "running" and self._agrees(service, live)
        except RouterUnavailable:
            return False

    def roll_out(self, candidate: Candidate) -> Deployed:
        """Start beside the live release, wait until ready, check through the preview address, then switch.

        Raises what went wrong, with the old release still serving. A rerun after a crash begins where the ledger
        says: the idle slot is simply filled anew.
        """
        with self._rollout(candidate.service, candidate.digest, "blue/green", candidate.flow_run) as started:
            service, places = candidate.service, self.places
            router = places.router(service)
            places.reconcile(service.name)
            before = places.read(service.name)
            place = slot_for(before)
            try:
                places.fill(candidate, place)
                self._check_preview(router, service, place, candidate.digest)
            except SlipwayError:
                places.clear(service.name, place)
                raise
            retire_at = datetime.now(UTC) + self._delay(service)
            router.shift(weights(place))
            places.slots.switch(places.environment.name, service.name, place, retire_at)
            replaced = next((state.digest for state in before.values() if state.live), None)
            return Deployed(self.url(service), place, candidate.digest, replaced, time.monotonic() - started)

    def roll_back(self, service: Service) -> Deployed:
        """Give the traffic back to the release that stands by. Raises `RolloutFailed` when none does."""
        places = self.places
        slots = places.read(service.name)
        place = rollback_target(slots)
        digest = slots[place].digest
        with self._rollout(service, digest, "rollback", "") as started:
            container = places.container(service.name, place)
            if container is None:
                raise RolloutFailed(
                    f"the earlier release {digest.short} no longer runs",
                    next_step="ship its revision again: `slipway ship --ref <revision>`",
                )
            wait_until_ready(places.engine, container, service)
            places.router(service).shift(weights(place))
            retire_at = datetime.now(UTC) + self._delay(service)
            places.slots.switch(places.environment.name, service.name, place, retire_at)
            replaced = slots[place.other].digest if place.other in slots else None
            return Deployed(self.url(service), place, digest, replaced, time.monotonic() - started)

    def standing(self, service: Service) -> Deployed:
        """What the ledger says is live now. Raises `RolloutFailed` when nothing is."""
        slots = self.places.read(service.name)
        live = live_slot(slots)
        if live is None:
            raise RolloutFailed(
                f"{service.name} does not serve in {self.places.environment.name}", next_step="ship it first"
            )
        other = slots.get(live.other)
        return Deployed(self.url(service), live, slots[live].digest, other.digest if other else None, 0.0)

    def url(self, service: Service) -> str:
        """Where the live release answers."""
        return f"http://127.0.0.1:{self.places.ports(service).live}"

    def _agrees(self, service: Service, live: Slot) -> bool:
        return self.places.observed(service.name) == weights(live)

    def _delay(self, service: Service) -> timedelta:
        return timedelta(seconds=service.rollout_in(self.places.environment.name).scale_down_delay_s)

    @contextmanager
    def _rollout(self, service: Service, digest: Digest, kind: str, flow_run: str) -> Iterator[float]:
        """One rollout at a time here, and a row in the ledger that says how it ended."""
        slots, where = self.places.slots, self.places.environment.name
        with self.places.held(service.name, _LOCK_DEADLINE_S):
            row = slots.begin(where, service.name, digest, kind, flow_run, datetime.now(UTC))
            try:
                yield time.monotonic()
            except BaseException as failed:
                slots.finish(row, "failed", str(failed), datetime.now(UTC))
                raise
            slots.finish(row, "completed", "", datetime.now(UTC))

    def _check_preview(self, router: Router, service: Service, place: Slot, digest: Digest) -> None:
        """The preview address reaches the new container (it says its digest), and answers the decisive question."""
        router.preview(place)
        url = f"http://127.0.0.1:{self.places.ports(service).preview}"
        give_up = time.monotonic() + _PREVIEW_DEADLINE_S
        while digest not in _text(f"{url}{service.serving.version}"):
            if time.monotonic() > give_up:
                raise RolloutFailed(
                    f"the preview address does not reach the new release within {_PREVIEW_DEADLINE_S:.0f} s",
                    subject=digest,
                    tail=_text(f"{url}{service.serving.version}"),
                    next_step=f"its {service.serving.version} must name the digest given as SLIPWAY_DIGEST",
                )
            time.sleep(0.05)
        if service.rollout_in(self.places.environment.name).preview_check:
            check_answer(url, service.serving.check)


def _text(url: str) -> str:
    try:
        return httpx.get(url, timeout=2).text
    except httpx.HTTPError as failed:
        return str(failed)
