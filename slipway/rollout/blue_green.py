"""Blue/green, the decisions: which slot is next, what the router should say, whether a rollback can be instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from slipway.errors import RolloutFailed
from slipway.identity import Digest


class Slot(StrEnum):
    """One of two places a release can stand in an environment."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        """The other place."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


@dataclass(frozen=True)
class SlotState:
    """What stands in a slot: live, there for a rollback until `retire_at`, or (neither) still being tried."""

    digest: Digest
    image: str
    live: bool
    retire_at: datetime | None = None

    @property
    def is_being_tried(self) -> bool:
        """Whether a rollout put it here and has not ended; without a rollout under way it died."""
        return not self.live and self.retire_at is None


def live_slot(slots: Mapping[Slot, SlotState]) -> Slot | None:
    """The slot that holds the traffic, if any does yet."""
    return next((slot for slot, state in slots.items() if state.live), None)


def slot_for(slots: Mapping[Slot, SlotState]) -> Slot:
    """Where the next release goes: beside the live one; blue in an empty environment."""
    live = live_slot(slots)
    return live.other if live else Slot.BLUE


def weights(live: Slot | None) -> dict[Slot, int]:
    """What the router should say: all the traffic to one slot, none to the other."""
    return {slot: 100 if slot is live else 0 for slot in Slot}


def rollback_target(slots: Mapping[Slot, SlotState]) -> Slot:
    """The slot to return to. Raises `RolloutFailed` when no earlier release stands ready."""
    live = live_slot(slots)
    if live is None or live.other not in slots or slots[live.other].is_being_tried:
        raise RolloutFailed(
            "there is no earlier release standing by to return to",
            next_step="its scale-down delay has passed; ship that revision again: `slipway ship --ref <revision>`",
        )
    return live.other


def to_retire(slots: Mapping[Slot, SlotState], now: datetime) -> tuple[Slot, ...]:
    """Slots whose scale-down delay has passed."""
    return tuple(slot for slot, state in slots.items() if not state.live and state.retire_at and state.retire_at <= now)
