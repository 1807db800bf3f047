"""Where one installation of Slipway lives on a machine: folders, names and ports, from SLIPWAY_* variables.

Read once at the edge and passed inwards. Two instances (a test beside a person's own, say) differ in `instance`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.errors import UserError

_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """One installation. `home` holds its state, `cache` what any installation can rebuild.

    `environments` is a file that stands in for deployments/environments.yaml, `ledger` the URL of another database.
    """

    home: Path
    cache: Path
    instance: str = "slipway"
    registry_port: int = 5050
    prefect_port: int = 4200
    port_offset: int = 0
    webhook_port: int = 8090
    external_registry: str = ""
    environments: str = ""
    ledger: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings of this process. Raises `UserError` for a port that is not a number."""
        env = os.environ if environ is None else environ
        user_cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(
            home=Path(env.get("SLIPWAY_HOME") or Path.home() / ".slipway").absolute(),
            cache=Path(env.get("SLIPWAY_CACHE") or user_cache / "slipway").absolute(),
            instance=env.get("SLIPWAY_INSTANCE") or cls.instance,
            registry_port=_number(env, "SLIPWAY_REGISTRY_PORT", cls.registry_port),
            prefect_port=_number(env, "SLIPWAY_PREFECT_PORT", cls.prefect_port),
            port_offset=_number(env, "SLIPWAY_PORT_OFFSET", cls.port_offset),
            webhook_port=_number(env, "SLIPWAY_WEBHOOK_PORT", cls.webhook_port),
            external_registry=env.get("SLIPWAY_REGISTRY", ""),
            environments=env.get("SLIPWAY_ENVIRONMENTS", ""),
            ledger=env.get("SLIPWAY_LEDGER", ""),
        )

    def as_environment(self) -> dict[str, str]:
        """The variables that give a child process these same settings."""
        return {
            "SLIPWAY_HOME": str(self.home),
            "SLIPWAY_CACHE": str(self.cache),
            "SLIPWAY_INSTANCE": self.instance,
            "SLIPWAY_REGISTRY_PORT": str(self.registry_port),
            "SLIPWAY_PREFECT_PORT": str(self.prefect_port),
            "SLIPWAY_PORT_OFFSET": str(self.port_offset),
            "SLIPWAY_WEBHOOK_PORT": str(self.webhook_port),
            "SLIPWAY_REGISTRY": self.external_registry,
            "SLIPWAY_ENVIRONMENTS": self.environments,
            "SLIPWAY_LEDGER": self.ledger,
        }

    @property
    def registry(self) -> str:
        """`host:port` of the registry that images go to."""
        return self.external_registry or f"127.0.0.1:{self.registry_port}"

    @property
    def registry_is_plain(self) -> bool:
        """Whether that registry speaks plain HTTP."""
        return is_plain(self.registry)

    @property
    def prefect_api(self) -> str:
        """The Prefect server's API."""
        return f"http://127.0.0.1:{self.prefect_port}/api"

    @property
    def prefect_ui(self) -> str:
        """The Prefect server's pages."""
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def ledger_url(self) -> str:
        """The ledger's database; SQLite in `home` unless SLIPWAY_LEDGER names another."""
        return self.ledger or f"sqlite:///{self.home / 'ledger.db'}"


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, "")
    if not value:
        return default
    if not value.isdecimal() or int(value) > _HIGHEST_PORT:
        raise UserError(f"{name} is {value!r}, not a port number", next_step=f"set it to a number, e.g. {default}")
    return int(value)


def is_plain(registry: str) -> bool:
    """Whether `host:port` speaks plain HTTP: a registry on this machine does, as the Docker Engine has it, too."""
    host = registry.partition(":")[0]
    return host == "localhost" or host.startswith("127.")
