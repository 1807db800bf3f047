"""Roll back: the release that stands by takes the traffic again."""

from __future__ import annotations

from prefect import flow

from tasks.evidence import report_rollback
from tasks.rollout import roll_back


@flow(name="rollback", flow_run_name="roll back {service} in {environment}")
def rollback(
    service: str,
    environment: str = "local",
) -> str:
    """Give the traffic back to the release before; instant while it stands by. The digest that serves now.

    Args:
        service: The service to return to its earlier release.
        environment: local, staging or production.
    """
    deployed = roll_back(service, environment)
    return report_rollback(service, environment, deployed)
