"""`slipway doctor`: this installation's own ports and bases, examined."""

from __future__ import annotations

from slipway.host import names
from slipway.host.doctor import Finding, Port, examine
from slipway.image.base import load_recipe
from slipway.workshop import Workshop


def checkup(workshop: Workshop) -> tuple[Finding, ...]:
    """Every finding about the machine, with this installation's ports and every base image it may need."""
    settings = workshop.settings
    local = workshop.environment("local")
    ports = [
        Port(settings.registry_port, "the local registry", container=names.registry(settings.instance)),
        Port(settings.prefect_port, "the Prefect server", daemon="prefect-server"),
    ]
    for service in local.services:
        router, found = names.router(settings.instance, "local", service), local.ports(service)
        ports += [Port(found.live, f"{service}'s traffic", container=router)]
        ports += [Port(found.preview, f"{service}'s preview", container=router)]
    recipes = [load_recipe(path) for path in sorted(workshop.root.glob("docker/*/base.yaml"))]
    return examine(settings, ports, recipes)
