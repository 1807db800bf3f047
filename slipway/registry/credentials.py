"""Credentials for one registry, from the Docker config.json: plain entries and `docker-credential-*` helpers."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.errors import RegistryRefused, UserError
from slipway.processes import run
from slipway.redaction import remember_secret

_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # what docker and its helpers write as user name beside an identity token


@dataclass(frozen=True)
class Credentials:
    """A user with a password, or an identity token; neither secret is ever shown."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        remember_secret(self.password)
        remember_secret(self.identity_token)


def config_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the docker CLI keeps its config.json for this environment."""
    return Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def read_credentials(registry: str, config: Path, *, deadline_s: float) -> Credentials | None:
    """What `docker` itself would use for `registry`: its helper, else the common store, else the plain entry.

    None when there is nothing; `UserError` when the file or an entry cannot be read.
    """
    content = _load(config)
    helper = _of(registry, content.get("credHelpers") or {}) or content.get("credsStore")
    if helper:
        found = _ask_helper(str(helper), registry, deadline_s)
        if found:
            return found
    entry = _of(registry, content.get("auths") or {})
    return parse_entry(entry, config) if isinstance(entry, dict) else None


def parse_entry(entry: Mapping[str, Any], config: Path) -> Credentials | None:
    """One value of `auths`; None when it is empty, as `docker login` leaves it beside a credential store."""
    if entry.get("identitytoken"):
        return Credentials(_TOKEN_USER, identity_token=str(entry["identitytoken"]))
    if not entry.get("auth"):
        return Credentials(str(entry["username"]), str(entry["password"])) if entry.get("username") else None
    try:
        username, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError):
        colon = ""
    if not colon:
        raise UserError(f"an entry of {config} cannot be read", next_step="run `docker login` for that registry again")
    return Credentials(username, password.rstrip("\0"))


def write_config(path: Path, registry: str, credentials: Credentials) -> Path:
    """A Docker config.json with this one entry, for programs that take credentials in no other way; ours to read."""
    encoded = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
    remember_secret(encoded)
    token = {"identitytoken": credentials.identity_token} if credentials.identity_token else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"auths": {registry: {"auth": encoded, **token}}}))
    return path


def _load(config: Path) -> dict[str, Any]:
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as broken:
        raise UserError(f"{config} cannot be read: {broken}", next_step="mend the file or remove it") from broken
    if not isinstance(content, dict):
        raise UserError(f"{config} is not a JSON object", next_step="mend the file or remove it")
    return content


def _of(registry: str, entries: Mapping[str, Any]) -> Any:
    """The entry of this registry; docker writes keys as a host or as a URL with a path."""
    wanted = _HUB if registry in _HUB else {registry}
    return next((value for key, value in entries.items() if _host(key) in wanted), None)


def _host(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").split("/", 1)[0]


def _ask_helper(helper: str, registry: str, deadline_s: float) -> Credentials | None:
    if not _HELPER.fullmatch(helper):
        raise UserError(f"{helper!r} is not the name of a credential helper", next_step="mend the Docker config.json")
    server = _HUB_KEY if registry in _HUB else registry
    done = run([f"docker-credential-{helper}", "get"], deadline_s=deadline_s, stdin=server, check=False)
    if done.returncode != 0:
        if "not found" in done.stdout.lower():
            return None
        raise RegistryRefused(
            f"docker-credential-{helper} gave no credentials for {registry}",
            tail=done.tail,
            next_step=f"run `docker login {registry}` again",
        )
    try:
        said = json.loads(done.stdout)
        username, secret = str(said["Username"]), str(said["Secret"])
    except (ValueError, KeyError, TypeError):
        # not chained and not quoted: what the helper printed may be the secret
        raise RegistryRefused(
            f"docker-credential-{helper} did not answer in its protocol", next_step="update that helper"
        ) from None
    if username == _TOKEN_USER:
        return Credentials(username, identity_token=secret)
    return Credentials(username, secret)
