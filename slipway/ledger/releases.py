"""Releases and the evidence behind them: what was built from which inputs, and what it showed when it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from slipway.errors import LedgerError
from slipway.identity import Digest
from slipway.ledger.database import Moment, metadata
from slipway.service.model import Service

builds = sa.Table(
    "builds",
    metadata,
    sa.Column("inputs", sa.String, primary_key=True),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("built_at", Moment, nullable=False),
)
releases = sa.Table(
    "releases",
    metadata,
    sa.Column("service", sa.String, primary_key=True),
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("revision", sa.String, nullable=False, index=True),
    sa.Column("repository", sa.String, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("released_at", Moment, nullable=False),
)
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("machine", sa.String, primary_key=True),
    sa.Column("service", sa.String, nullable=False),
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("found_at", Moment, nullable=False),
)


@dataclass(frozen=True)
class Release:
    """One row: a digest that passed. `facts` holds tags, base, locks, model and whatever else identifies its inputs."""

    service: str
    digest: Digest
    revision: str
    repository: str
    facts: Mapping[str, Any]
    released_at: datetime

    @property
    def identity(self) -> dict[str, str]:
        """What its container is told about itself, as environment variables."""
        return {
            "SLIPWAY_REVISION": self.revision,
            "SLIPWAY_DIGEST": self.digest,
            "SLIPWAY_RELEASE": f"{self.service}-{self.digest.short}",
        }

    @property
    def described(self) -> Service:
        """The service.yaml it was released with. Raises `LedgerError` when this Slipway cannot read it any more."""
        try:
            return Service.model_validate(self.facts["service"])
        except (KeyError, ValidationError) as strange:
            raise LedgerError(
                f"another Slipway recorded {self.service} at {self.digest.short}, and this one cannot read it",
                tail=str(strange),
                next_step=f"ship that revision again: `slipway ship --service {self.service} --ref {self.revision}`",
            ) from strange


class Releases:
    """The part of the ledger that remembers builds, releases and evidence. Times are passed in, aware."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        metadata.create_all(engine, tables=[builds, releases, evidence])

    def built(self, inputs: str) -> Digest | None:
        """The digest these inputs gave before, if they ever did."""
        with self._engine.connect() as connection:
            found = connection.scalar(sa.select(builds.c.digest).where(builds.c.inputs == inputs))
        return Digest(found) if found else None

    def remember_build(self, inputs: str, digest: Digest, now: datetime) -> None:
        """These inputs give this digest."""
        self._replace(builds, {"inputs": inputs}, {"digest": digest, "built_at": now})

    def remember_evidence(
        self, service: str, digest: Digest, kind: str, machine: str, found: Mapping[str, Any], now: datetime
    ) -> None:
        """What one kind of check (smoke, benchmark, gates) showed for a digest on one kind of machine."""
        key = {"digest": digest, "kind": kind, "machine": machine}
        self._replace(evidence, key, {"service": service, "found": _dump(found), "found_at": now})

    def evidence(self, digest: Digest, kind: str, machine: str) -> dict[str, Any] | None:
        """What was found before, or None."""
        wanted = sa.select(evidence.c.found).where(
            evidence.c.digest == digest, evidence.c.kind == kind, evidence.c.machine == machine
        )
        with self._engine.connect() as connection:
            found = connection.scalar(wanted)
        return dict(json.loads(found)) if found else None

    def all_evidence(self, digest: Digest) -> dict[str, dict[str, Any]]:
        """Everything known about a digest, newest per kind."""
        wanted = sa.select(evidence).where(evidence.c.digest == digest).order_by(evidence.c.found_at)
        with self._engine.connect() as connection:
            return {row.kind: {"machine": row.machine, **json.loads(row.found)} for row in connection.execute(wanted)}

    def record(self, release: Release) -> None:
        """A digest passed; recording it again refreshes its facts."""
        key = {"service": release.service, "digest": release.digest}
        values = {
            "revision": release.revision,
            "repository": release.repository,
            "facts": _dump(release.facts),
            "released_at": release.released_at,
        }
        self._replace(releases, key, values)

    def previous_evidence(self, service: str, digest: Digest, kind: str, machine: str) -> dict[str, Any] | None:
        """The newest evidence of this kind from another *released* digest on the same kind of machine."""
        wanted = (
            sa.select(evidence.c.found)
            .join(releases, sa.and_(releases.c.digest == evidence.c.digest, releases.c.service == evidence.c.service))
            .where(
                evidence.c.service == service,
                evidence.c.kind == kind,
                evidence.c.machine == machine,
                evidence.c.digest != digest,
            )
            .order_by(releases.c.released_at.desc())
        )
        with self._engine.connect() as connection:
            found = connection.scalar(wanted.limit(1))
        return dict(json.loads(found)) if found else None

    def get(self, service: str, digest: Digest) -> Release:
        """One release. Raises `LedgerError` when it was never recorded."""
        found = self._select(sa.and_(releases.c.service == service, releases.c.digest == digest))
        if not found:
            raise LedgerError(
                f"the ledger has no release of {service} with {digest}", next_step="ship its revision once more"
            )
        return found[0]

    def of_revision(self, service: str, revision: str) -> tuple[Release, ...]:
        """All releases of one service from one revision, newest first."""
        return self._select(sa.and_(releases.c.service == service, releases.c.revision == revision))

    def find(self, words: str) -> Release:
        """The newest release whose digest or revision starts with `words`. Raises `LedgerError` when there is none."""
        start = words.removeprefix("sha256:")
        matching = sa.or_(
            releases.c.digest.startswith(f"sha256:{start}", autoescape=True),
            releases.c.revision.startswith(start, autoescape=True),
        )
        found = self._select(matching) if len(start) >= 4 else ()
        if not found:
            raise LedgerError(
                f"the ledger knows no release {words!r}",
                next_step="give a digest, a revision (at least four characters) or a URL; `slipway status` lists them",
            )
        return found[0]

    def newest(self, limit: int = 20) -> tuple[Release, ...]:
        """The latest releases, newest first."""
        return self._select(sa.true(), limit)

    def _select(self, condition: sa.ColumnElement[bool], limit: int | None = None) -> tuple[Release, ...]:
        wanted = sa.select(releases).where(condition).order_by(releases.c.released_at.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted).all()
        return tuple(
            Release(
                service=row.service,
                digest=Digest(row.digest),
                revision=row.revision,
                repository=row.repository,
                facts=json.loads(row.facts),
                released_at=row.released_at,
            )
            for row in rows
        )

    def _replace(self, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(table).where(*(table.c[name] == value for name, value in key.items())))
            connection.execute(sa.insert(table).values(**key, **values))


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
