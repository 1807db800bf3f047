"""Gives the local registry's disk back: images that no tag, release, slot or run names, then blobs without a manifest.

Deleting a manifest frees nothing by itself; distribution's own garbage collection does, and it takes blobs that were
uploaded for a manifest still to come. So it runs only while nobody writes: whoever builds or pushes leases `WRITING`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from slipway.engine import ContainerSpec
from slipway.errors import LedgerError, PermanentError
from slipway.host import names
from slipway.host.cleanup import LAYERS, Cleanup, folder_bytes
from slipway.host.harbour import Harbour
from slipway.host.removal import CleanupReport, Kind, Removed, content_of, lease_name
from slipway.identity import Digest, Repository
from slipway.registry.client import RegistryClient

WRITING = lease_name(Kind.LAYERS, LAYERS)
UNUSED_FOR = timedelta(days=7)
COLLECT_DEADLINE_S = 600.0
_MEMORY_MB = 512


@dataclass(frozen=True)
class RegistryGarbage:
    """The local registry of one installation, and what the ledger knows of its images."""

    harbour: Harbour
    cleanup: Cleanup

    def collect(self, client: RegistryClient, now: datetime) -> CleanupReport:
        """Remove what nobody has named or used for `UNUSED_FOR`; the report's bytes are what the folder shrank by.

        Nothing happens, and the report says so, while a run builds or pushes, or when the registry is not ours.
        """
        if self.harbour.settings.external_registry:
            return CleanupReport(failed=((client.registry, "an external registry cleans up after itself"),))
        if WRITING in self.cleanup.leases.leased(now):
            return CleanupReport(
                failed=((client.registry, "a run is building or pushing; the next sweep tries again"),)
            )
        before = folder_bytes(self.harbour.settings.home / "registry" / "data")
        gone = self._forget_manifests(client, now)
        self._collect_blobs()
        freed = max(0, before - folder_bytes(self.harbour.settings.home / "registry" / "data"))
        return CleanupReport(_report(gone, freed))

    def unreferenced(self, client: RegistryClient, now: datetime) -> tuple[str, ...]:
        """References that the ledger knows, not used lately, and named by nothing: failed builds, mostly."""
        needed = {content_of(name) for name in self.cleanup.protected(now)}
        known = self.cleanup.leases.last_used()
        found: list[str] = []
        for name in self.cleanup.repositories:
            repository = Repository(client.registry, name.removeprefix(f"{client.registry}/"))
            tagged = {client.digest(repository, tag) for tag in client.tags(repository)}
            old = [each for each, when in known.items() if each.startswith(f"{name}@") and when <= now - UNUSED_FOR]
            digests = {Digest(content_of(each)) for each in old} - tagged
            found += [repository.at(each) for each in sorted(digests - needed) if not self._released(each)]
        return tuple(found)

    def _forget_manifests(self, client: RegistryClient, now: datetime) -> list[str]:
        gone = []
        for reference in self.unreferenced(client, now):
            name, _, digest = reference.partition("@")
            repository = Repository(client.registry, name.removeprefix(f"{client.registry}/"))
            if client.holds(repository, Digest(digest)):
                client.delete_manifest(repository, Digest(digest))
                gone.append(reference)
        return gone

    def _released(self, digest: Digest) -> bool:
        with contextlib.suppress(LedgerError):
            return bool(self.cleanup.releases.find(digest))
        return False

    def _collect_blobs(self) -> None:
        settings = self.harbour.settings
        folder = settings.home / "registry"
        spec = ContainerSpec(
            image=self.harbour.ensure_image(),
            name=f"{names.registry(settings.instance)}-garbage",
            labels=names.labels(settings.instance, "registry-garbage"),
            command=["docker-registry", "garbage-collect", "/registry/config.yml"],
            memory_mb=_MEMORY_MB,
            volumes={str(folder): "/registry", str(folder / "data"): "/data"},
        )
        ended = self.harbour.engine.run_to_end(spec, COLLECT_DEADLINE_S)
        if ended.exit_code != 0:
            raise PermanentError(
                "the registry's garbage collection failed; images in it are as they were",
                tail=ended.stderr[-2000:],
                next_step=f"check that {folder} is whole and writable",
            )


def _report(gone: list[str], freed: int) -> tuple[Removed, ...]:
    if not (gone or freed):
        return ()
    first = Removed(Kind.MANIFEST, gone[0] if gone else "blobs without a manifest", freed)
    return (first, *(Removed(Kind.MANIFEST, name, 0) for name in gone[1:]))
