"""A service described by itself: service.yaml, and which services a change concerns."""

from slipway.service.fields import Environment
from slipway.service.loading import find_services, load_service
from slipway.service.model import Service
from slipway.service.plan import Affected, affected

__all__ = ["Affected", "Environment", "Service", "affected", "find_services", "load_service"]
