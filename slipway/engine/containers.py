"""What containers are to the rest of Slipway: what to run, how it ended, what stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from docker.types import DeviceRequest

LABEL = "slipway"
INSTANCE, FLOW_RUN, ROLE = f"{LABEL}.instance", f"{LABEL}.flow-run", f"{LABEL}.role"


@dataclass(frozen=True)
class ContainerSpec:
    """What to run, and within which bounds. `ports` maps container ports to (address, host port)."""

    image: str
    name: str
    labels: Mapping[str, str]
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    network: str = "none"
    read_only: bool = True
    tmpfs: Mapping[str, str] = field(default_factory=lambda: {"/tmp": "size=256m,mode=1777"})
    memory_mb: int | None = None
    pids: int | None = None
    gpus: bool = False
    ports: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False


@dataclass(frozen=True)
class Finished:
    """A container's end. `exit_code` is None when it was stopped at its deadline."""

    exit_code: int | None
    stdout: str
    stderr: str
    out_of_memory: bool
    seconds: float


@dataclass(frozen=True)
class Container:
    """One container as the engine reports it; `address` is its first network address or empty."""

    id: str
    name: str
    image: str
    status: str
    address: str
    labels: Mapping[str, str]


def arguments(spec: ContainerSpec) -> dict[str, Any]:
    """A spec in docker-py's words."""
    return {
        "image": spec.image,
        "name": spec.name,
        "command": list(spec.command) if spec.command else None,
        "labels": dict(spec.labels),
        "environment": dict(spec.environment),
        "network": spec.network,
        "read_only": spec.read_only,
        "tmpfs": dict(spec.tmpfs),
        "mem_limit": f"{spec.memory_mb}m" if spec.memory_mb else None,
        "memswap_limit": f"{spec.memory_mb}m" if spec.memory_mb else None,
        "pids_limit": spec.pids,
        "device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])] if spec.gpus else None,
        "ports": dict(spec.ports),
        "volumes": {host: {"bind": inside, "mode": "rw"} for host, inside in spec.volumes.items()},
        "restart_policy": {"Name": "unless-stopped"} if spec.restart else None,
        "init": True,
        "detach": True,
    }


def described(raw: Any) -> Container:
    """A container of docker-py in ours."""
    networks = raw.attrs["NetworkSettings"].get("Networks") or {}
    address = next((net["IPAddress"] for net in networks.values() if net.get("IPAddress")), "")
    return Container(raw.id, raw.name, raw.attrs["Config"]["Image"], raw.status, address, raw.labels)
