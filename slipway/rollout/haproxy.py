"""The router: HAProxy, moved through its runtime API without a reload, so that no connection is cut."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import RolloutFailed, RouterUnavailable
from slipway.rollout.blue_green import Slot

LIVE_PORT, PREVIEW_PORT = 8080, 8081
SOCKET, CONFIG, STATE = "admin.sock", "haproxy.cfg", "servers"
_DEADLINE_S = 5.0


def configuration(service_port: int, slot_hosts: Mapping[Slot, str], folder: str) -> str:
    """HAProxy's configuration: a live address and one preview address per slot.

    Slots are found by container name, so that an engine restart which hands out other addresses cannot swap them.
    Every slot starts with no traffic, or with what the saved server state says.
    """
    servers = "\n".join(
        f"    server {slot} {host}:{service_port} resolvers engine init-addr libc,none weight 0"
        for slot, host in slot_hosts.items()
    )
    previews = "\n".join(
        f"    server {slot} {host}:{service_port} resolvers engine init-addr libc,none disabled"
        for slot, host in slot_hosts.items()
    )
    return f"""global
    stats socket {folder}/{SOCKET} mode 600 level admin
    server-state-file {folder}/{STATE}
resolvers engine
    nameserver engine 127.0.0.11:53
    resolve_retries 3
    timeout resolve 300ms
    timeout retry 300ms
    hold valid 300ms
    hold nx 300ms
    hold obsolete 0s
defaults
    mode http
    timeout connect 2s
    timeout client 120s
    timeout server 120s
    retries 3
    retry-on conn-failure empty-response
    load-server-state-from-file global
frontend live
    bind :{LIVE_PORT}
    default_backend live
frontend preview
    bind :{PREVIEW_PORT}
    default_backend preview
backend live
{servers}
backend preview
{previews}
"""


@dataclass(frozen=True)
class Router:
    """One router's runtime API, through the socket in its folder. Raises `RouterUnavailable`."""

    folder: Path

    def weights(self) -> dict[Slot, int]:
        """Observed state: each slot's share of the live traffic."""
        return observed_weights(self._ask("show servers state live"))

    def shift(self, weights: Mapping[Slot, int]) -> None:
        """Give each slot its share, read the router back, and keep it across a restart. Raises `RolloutFailed`."""
        ordered = sorted(weights.items(), key=lambda item: -item[1])  # add the new before taking from the old
        self._ask("; ".join(f"set server live/{slot} weight {weight}" for slot, weight in ordered))
        self.save()
        observed = self.weights()
        if observed != dict(weights):
            raise RolloutFailed(
                f"the router was told {_say(weights)} but says {_say(observed)}",
                next_step="look at the router's container; run `slipway status` to compare again",
            )

    def preview(self, slot: Slot) -> None:
        """Point the preview address at one slot."""
        self._ask(f"set server preview/{slot} state ready; set server preview/{slot.other} state maint")
        self.save()

    def save(self) -> None:
        """Write the server state where a restarted router finds it."""
        state = self.folder / STATE
        unfinished = state.with_suffix(".part")
        unfinished.write_text(self._ask("show servers state"))
        unfinished.rename(state)

    def _ask(self, command: str) -> str:
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
                connection.settimeout(_DEADLINE_S)
                connection.connect(str(self.folder / SOCKET))
                connection.sendall(f"{command}\n".encode())
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError as gone:
            raise RouterUnavailable(
                "the router's runtime API does not answer", tail=str(gone), next_step="run `slipway up` to restart it"
            ) from gone
        return answer


def observed_weights(state: str) -> dict[Slot, int]:
    """Each slot's weight in what `show servers state` prints: a version, a line of names, a line per server."""
    try:
        _version, names, *servers = [line for line in state.splitlines() if line]
        rows = [dict(zip(names.removeprefix("# ").split(), line.split(), strict=False)) for line in servers]
        return {Slot(row["srv_name"]): int(row["srv_uweight"]) for row in rows}
    except (ValueError, KeyError) as unreadable:
        raise RouterUnavailable(
            "the router's runtime API does not say which slots it has",
            tail=state[:500],
            next_step="look at the log of the router's container; `slipway up` starts a missing one",
        ) from unreadable


def _say(weights: Mapping[Slot, int]) -> str:
    return ", ".join(f"{slot} {weight}" for slot, weight in sorted(weights.items()))
