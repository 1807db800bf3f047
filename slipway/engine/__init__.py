"""The Docker Engine."""

from slipway.engine.client import Engine
from slipway.engine.containers import FLOW_RUN, INSTANCE, ROLE, Container, ContainerSpec, Finished

__all__ = ["FLOW_RUN", "INSTANCE", "ROLE", "Container", "ContainerSpec", "Engine", "Finished"]
