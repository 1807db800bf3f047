"""What Slipway calls the things it makes on a host, so that they are found again and nothing else is touched."""

from __future__ import annotations

from slipway.engine import FLOW_RUN, INSTANCE, ROLE
from slipway.rollout.blue_green import Slot


def network(instance: str) -> str:
    """The bridge network on which routers reach slots."""
    return instance


def strangers_network(instance: str) -> str:
    """The bridge network of code from forks: no other container is on it."""
    return f"{instance}-strangers"


def registry(instance: str) -> str:
    """The local registry's container."""
    return f"{instance}-registry"


def router(instance: str, environment: str, service: str) -> str:
    """A router's container: one per service and environment."""
    return f"{instance}-{environment}-{service}-router"


def slot(instance: str, environment: str, service: str, place: Slot) -> str:
    """The container that stands in a slot."""
    return f"{instance}-{environment}-{service}-{place}"


def labels(instance: str, role: str, flow_run: str = "") -> dict[str, str]:
    """Labels of a container: whose it is, what for, and which run has to remove it ("" when it is meant to stay)."""
    return {INSTANCE: instance, ROLE: role, FLOW_RUN: flow_run}
