"""What the automations promise, besides what a server makes of them."""

from __future__ import annotations

from deployments.automations import HEARTBEAT_S, wanted


def test_a_run_may_miss_some_heartbeats_before_it_counts_as_crashed() -> None:
    (silent,) = [one for one in wanted() if "heartbeats" in one.name]
    assert silent.trigger.within.total_seconds() >= 3 * HEARTBEAT_S  # type: ignore[union-attr]
