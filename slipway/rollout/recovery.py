"""After a death: of a run (its rollout is put right) or of the machine (what the ledger says is live comes back)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway.identity import Digest
from slipway.registry.credentials import Credentials
from slipway.rollout.blue_green import Slot
from slipway.rollout.places import Candidate, Places

_LOCK_DEADLINE_S = 5.0


@dataclass(frozen=True)
class Recovery:
    """One environment's. Raises `DeadlineExceeded` while a rollout is under way, which puts things right itself."""

    places: Places

    def put_right(self, service: str) -> None:
        """What a rollout that died left: the router obeys the ledger again, its half-tried release goes."""
        with self.places.held(service, _LOCK_DEADLINE_S):
            self.places.slots.interrupt(self.places.environment.name, service, datetime.now(UTC))
            self.places.reconcile(service)

    def restore(
        self, service: str, candidate: Callable[[Digest, str], Candidate], credentials: Credentials | None
    ) -> Iterator[Slot]:
        """What the ledger says is live or stands by runs, behind its router; yields the slots that had to be started.

        The work is done while the answer is iterated, so that each slot can be told of as it comes.

        `candidate` makes of a digest and its image what there is to start, `credentials` are the registry's. The live
        release comes first, and serves even when the one that stands by cannot come back.
        """
        with self.places.held(service, _LOCK_DEADLINE_S):
            # What was being tried is not brought back; it goes once the router, which may be down as well, obeys.
            slots = {at: state for at, state in self.places.read(service).items() if not state.is_being_tried}
            for place in sorted(slots, key=lambda at: not slots[at].live):
                release = candidate(slots[place].digest, slots[place].image)
                gone = not self._runs(service, place)
                if gone:
                    self.places.engine.pull(release.image, credentials)
                    self.places.start(release, place)
                self.places.router(release.service)
                self.places.reconcile(service)
                if gone:
                    yield place

    def _runs(self, service: str, place: Slot) -> bool:
        container = self.places.container(service, place)
        return container is not None and container.status == "running"
