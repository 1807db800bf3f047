"""Where the sender's events go, without saying how: the sender knows this and no Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from slipway.errors import PermanentError, PrefectUnavailable
from slipway.ledger.outbox import Outgoing


class PrefectGone(PrefectUnavailable):
    """Nobody answers at Prefect's address: what its memory held is lost."""


class PrefectSlow(PrefectUnavailable):
    """Prefect took the call and did not answer in time: it may have the events."""


class PrefectRefused(PermanentError):
    """Prefect will never take these events."""


class EventStore(Protocol):
    """Where events go."""

    def send(self, events: Sequence[Outgoing]) -> None:
        """Hand over events. Raises `PrefectGone`, `PrefectSlow`, `PrefectUnavailable` or `PrefectRefused`."""

    def stored(self, events: Sequence[Outgoing]) -> set[UUID]:
        """Which of these are stored for good. Raises as `send`."""
