"""The receiver's one YAML file. Secrets are only ever referred to: a file, an environment variable or a Prefect block.

`webhook.example.yaml` beside this module shows all of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from slipway.errors import UserError
from slipway.redaction import remember_secret
from slipway.webhooks.judgement import Source
from slipway.webhooks.signatures import HostKind


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretReference(_Strict):
    """Where one secret is; exactly one of the three."""

    file: Path | None = None
    env: str | None = None
    prefect: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretReference:
        if sum(value is not None for value in (self.file, self.env, self.prefect)) != 1:
            raise ValueError("give exactly one of file, env or prefect")
        return self


class AllowedRepository(_Strict):
    """One repository whose deliveries are taken."""

    name: Annotated[str, Field(min_length=1)]
    url: str = ""


class SourceSettings(_Strict):
    """One webhook, as set up on its host."""

    kind: HostKind
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    secrets: Annotated[tuple[SecretReference, ...], Field(min_length=1)]
    repositories: Annotated[tuple[AllowedRepository, ...], Field(min_length=1)]


class WebhookSettings(_Strict):
    """The whole file."""

    admin_token: SecretReference
    sources: tuple[SourceSettings, ...] = ()
    body_limit_mib: Annotated[float, Field(gt=0, le=64)] = 8
    replay_window_s: Annotated[float, Field(gt=0, le=3600)] = 300


class Receiver(BaseModel):
    """The file with its secrets read: all that the receiver needs. Never printed."""

    model_config = ConfigDict(frozen=True)

    admin_token: Annotated[bytes, Field(repr=False)]
    sources: Annotated[tuple[Source, ...], Field(repr=False)]
    body_limit: int
    replay_window_s: float


def load(path: Path) -> WebhookSettings:
    """The file at `path`. Raises `UserError` with every problem in it at once."""
    try:
        found = YAML(typ="safe").load(path.read_text())
    except (OSError, YAMLError, UnicodeDecodeError) as broken:
        raise UserError(f"cannot read the webhook settings: {broken}", next_step=f"write {path}") from broken
    try:
        return WebhookSettings.model_validate(found or {})
    except ValidationError as wrong:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors(include_input=False)]
        raise UserError(
            "the webhook settings have problems:\n" + "\n".join(f"  - {problem}" for problem in problems),
            subject=str(path),
            next_step="mend them all, then run `python -m deployments.webhook check`",
        ) from wrong


def resolve(settings: WebhookSettings, environ: Mapping[str, str] | None = None) -> Receiver:
    """Read every secret. Raises `UserError` for one that is missing or empty; names it, never its value."""
    env = os.environ if environ is None else environ
    return Receiver(
        admin_token=_read(settings.admin_token, env),
        sources=tuple(_source(source, env) for source in settings.sources),
        body_limit=int(settings.body_limit_mib * 1024 * 1024),
        replay_window_s=settings.replay_window_s,
    )


def _source(source: SourceSettings, env: Mapping[str, str]) -> Source:
    return Source(
        kind=source.kind,
        host=source.host or source.kind.value,
        secrets=tuple(_read(reference, env) for reference in source.secrets),
        repositories={one.name.lower(): one.url for one in source.repositories},
    )


def _read(reference: SecretReference, env: Mapping[str, str]) -> bytes:
    if reference.file:
        try:
            value, where = reference.file.read_text(), f"the file {reference.file}"
        except (OSError, UnicodeDecodeError) as broken:
            raise UserError(f"cannot read the secret in {reference.file}", next_step="check path and owner") from broken
    elif reference.env:
        value, where = env.get(reference.env, ""), f"the environment variable {reference.env}"
    else:
        value, where = _prefect_secret(reference.prefect or ""), f"the Prefect Secret block {reference.prefect}"
    if not (secret := value.strip()):
        raise UserError(
            f"the secret in {where} is missing or empty", next_step="set it; an empty secret proves nothing"
        )
    remember_secret(secret)
    return secret.encode()


def _prefect_secret(name: str) -> str:
    # Imported late: the receiver itself needs no Prefect, and must start while Prefect is down.
    from prefect.blocks.system import Secret

    try:
        return str(Secret.load(name, _sync=True).get())  # type: ignore[union-attr, call-arg]
    except Exception as failure:
        raise UserError(
            f"cannot read the Prefect Secret block {name}: {type(failure).__name__}",
            next_step="make the block, or start the Prefect server first; a file or variable needs neither",
        ) from failure
