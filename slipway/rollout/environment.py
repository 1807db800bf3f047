"""Environments as written in deployments/environments.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from slipway.errors import UserError
from slipway.host.harbour import RouterPorts
from slipway.service.fields import Environment as EnvironmentName


class _Ports(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    live: int
    preview: int


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    registry: str = ""
    services: dict[str, _Ports]


_FILE = TypeAdapter(dict[EnvironmentName, _Entry])


class Environment(BaseModel):
    """One named target. `registry` is empty for the local one; `offset` moves all ports of an installation."""

    model_config = ConfigDict(frozen=True)
    name: EnvironmentName
    registry: str
    services: dict[str, _Ports]
    offset: int = 0

    def ports(self, service: str) -> RouterPorts:
        """The router's host ports. Raises `UserError` for a service this environment does not know."""
        if service not in self.services:
            raise UserError(
                f"the environment {self.name} has no ports for {service}",
                next_step=f"add one in deployments/environments.yaml: {service}: {{ live: 8090, preview: 8091 }}",
            )
        ports = self.services[service]
        return RouterPorts(ports.live + self.offset, ports.preview + self.offset)


def load_environment(path: Path, name: str, offset: int) -> Environment:
    """One environment of the file. Raises `UserError` with all that is wrong with the file, or the known names."""
    try:
        entries = _FILE.validate_python(YAML(typ="safe").load(path) or {})
    except (OSError, YAMLError, ValidationError) as wrong:
        raise UserError(f"{path.name} cannot be used: {wrong}", next_step="mend the lines it names") from wrong
    for known, entry in entries.items():
        if known == name:
            return Environment(name=known, registry=entry.registry, services=entry.services, offset=offset)
    raise UserError(f"there is no environment {name!r}", next_step=f"choose one of: {', '.join(entries) or 'none yet'}")
