"""Where the service stands in its life; what /healthz and /ready answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgeo.matcher import Matcher

Phase = Literal["loading", "ready", "failed", "draining"]


@dataclass(slots=True)
class State:
    """*matcher* is there from `ready` on; *reason* says why not ready."""

    phase: Phase = "loading"
    reason: str = "the model is being loaded"
    matcher: Matcher | None = None

    def becomes_ready(self, matcher: Matcher) -> None:
        self.phase, self.reason, self.matcher = "ready", "", matcher

    def fails(self, reason: str) -> None:
        self.phase, self.reason = "failed", reason

    def drains(self) -> None:
        self.phase, self.reason = "draining", "the service is shutting down"
