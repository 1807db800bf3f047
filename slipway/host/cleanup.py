"""Makes room on the disks of this machine: finds what may go, and removes it in the order `removal` chose.

Runs protect what they use by leasing it under `removal.lease_name`; the lease also dates its last use.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway.dependencies.wheelhouse import Wheelhouse
from slipway.engine import Engine
from slipway.errors import LedgerError, SlipwayError
from slipway.host.removal import Candidate, CleanupReport, Kind, Removed, choose, lease_name
from slipway.host.space import device_of, existing, read_filesystems
from slipway.identity import Digest
from slipway.image.builder import Buildah, Builder
from slipway.ledger.leases import Leases
from slipway.ledger.releases import Releases
from slipway.ledger.slots import Slots
from slipway.settings import Settings

IDLE = timedelta(minutes=15)
"""What was used later than this ago stays: a run may be between using and leasing it."""
LAYERS = "all"
_LEFT_OVER = timedelta(days=1)
_SEEN = "cleanup"


@dataclass(frozen=True)
class Cleanup:
    """The adapters that removals need. `repositories` are the image repositories that are ours (`registry/name`)."""

    settings: Settings
    engine: Engine
    wheelhouse: Wheelhouse
    builder: Builder | None
    leases: Leases
    slots: Slots
    releases: Releases
    repositories: Sequence[str]

    def prune(self, goals: Mapping[int, int]) -> CleanupReport:
        """Free so many bytes on each device (`st_dev`), or as many as may go.

        Estimates choose, the disk decides: images share layers and wheelhouses share wheels, so what was really freed
        is measured, and more is chosen until the goals are reached.
        """
        now = datetime.now(UTC)
        wanted = {device: _free(device, self._folders()) + goal for device, goal in goals.items()}
        candidates, protected = self.candidates(now), self.protected(now)
        report = CleanupReport()
        while candidates:
            short = {device: size - _free(device, self._folders()) for device, size in wanted.items()}
            chosen = choose(candidates, protected, short, now - IDLE)
            if not chosen:
                break
            report = self._remove_all(chosen, report)
            candidates = tuple(each for each in candidates if each not in chosen)
        return report

    def protected(self, now: datetime) -> frozenset[str]:
        """Lease names and references that must stay: leased, in any slot, or used by a container of this engine."""
        standing = self.slots.everywhere()
        in_slots = {state.image for *_, state in standing}
        used = {container.image for container in self.engine.labelled({})}
        models = {self._model_of(service, state.digest) for _, service, _, state in standing}
        return frozenset(self.leases.leased(now) | in_slots | used | models)

    def _model_of(self, service: str, digest: Digest) -> str:
        """The lease name of a release's model; nothing's name for what was never released (a preview)."""
        try:
            facts = self.releases.get(service, digest).facts
        except LedgerError:
            facts = {}
        return lease_name(Kind.MODEL, str(facts.get("model_key", "")))

    def candidates(self, now: datetime) -> tuple[Candidate, ...]:
        """Everything of ours that could go, protected or not, with its last use."""
        known = self.leases.last_used()
        cache = self.settings.cache
        return (
            *self._images(known, now),
            *_folders(Kind.WHEELHOUSE, self.wheelhouse.root, known),
            *_folders(Kind.MODEL, cache / "models", known),
            *_folders(Kind.BASE, cache / "bases", known),
            *(each for each in self._checkouts() if each.last_used < now - _LEFT_OVER),
            *self._layers(known, now),
        )

    def _images(self, known: Mapping[str, datetime], now: datetime) -> Iterator[Candidate]:
        """Images of our repositories. One that the ledger never saw counts as used now, and is known from now on."""
        data = Path(self.engine.data_folder())
        references = {name for repository in self.repositories for name in self.engine.image_references(repository)}
        for reference in sorted(references) if data.exists() else ():
            if reference not in known:
                self.leases.take(reference, _SEEN, until=now, now=now)
            size = self.engine.image_size(reference)
            yield Candidate(Kind.IMAGE, reference, size, known.get(reference, now), device_of(data))
        self.leases.give_back(_SEEN)

    def _checkouts(self) -> Iterator[Candidate]:
        """Checkouts that no run removed. Times inside are the commit's; only the change time tells the age."""
        for folder in _visible(self.settings.cache / "git" / "checkouts"):
            with suppress(FileNotFoundError):
                left = datetime.fromtimestamp(folder.stat().st_ctime, UTC)
                yield Candidate(Kind.CHECKOUT, folder.name, folder_bytes(folder), left, device_of(folder))

    def _layers(self, known: Mapping[str, datetime], now: datetime) -> Iterator[Candidate]:
        """The builder's cached layers, which go all together. Only buildah's size is known."""
        if self.builder is None:
            return
        root = self.builder.root if isinstance(self.builder, Buildah) else Path(self.engine.data_folder())
        if root.exists():
            size = folder_bytes(root) if isinstance(self.builder, Buildah) else 0
            last_used = known.get(lease_name(Kind.LAYERS, LAYERS), now - IDLE)
            yield Candidate(Kind.LAYERS, LAYERS, size, last_used, device_of(root))

    def _remove_all(self, chosen: Sequence[Candidate], report: CleanupReport) -> CleanupReport:
        removed, failed = list(report.removed), list(report.failed)
        for each in chosen:
            before = _free(each.device, self._folders())
            try:
                self._remove(each)
            except (SlipwayError, OSError) as kept:
                failed.append((each.name, getattr(kept, "tail", "") or str(kept)))
                continue
            freed = max(0, _free(each.device, self._folders()) - before)
            removed.append(Removed(each.kind, each.name, freed))
        return CleanupReport(tuple(removed), tuple(failed))

    def _remove(self, candidate: Candidate) -> None:
        cache, name = self.settings.cache, candidate.name
        by_kind: dict[Kind, Callable[[], object]] = {
            Kind.CHECKOUT: lambda: remove_folder(cache / "git" / "checkouts" / name),
            Kind.IMAGE: lambda: self.engine.remove_image(name),
            Kind.WHEELHOUSE: lambda: self.wheelhouse.evict(name),
            Kind.MODEL: lambda: remove_folder(cache / "models" / name),
            Kind.BASE: lambda: remove_folder(cache / "bases" / name),
        }
        if self.builder:
            by_kind[Kind.LAYERS] = self.builder.prune
        by_kind[candidate.kind]()

    def _folders(self) -> tuple[Path, ...]:
        data = Path(self.engine.data_folder())
        ours = (self.settings.home, self.settings.cache)
        return (*ours, data) if data.exists() else ours


def _free(device: int, folders: Sequence[Path]) -> int:
    return next((disk.free for disk in read_filesystems(folders) if disk.device == device), 0)


def _folders(kind: Kind, root: Path, known: Mapping[str, datetime]) -> Iterator[Candidate]:
    """The finished folders below `root`; without a word in the ledger, their files' times tell the last use."""
    for folder in _visible(root):
        with suppress(FileNotFoundError):  # another process removed it just now
            last_used = known.get(lease_name(kind, folder.name)) or _last_touched(folder)
            yield Candidate(kind, folder.name, folder_bytes(folder), last_used, device_of(folder))


def _visible(root: Path) -> list[Path]:
    """Folders in `root`, without those still being made (their names begin with a dot)."""
    found = root.iterdir() if root.is_dir() else iter(())
    return sorted(each for each in found if each.is_dir() and not each.is_symlink() and not each.name.startswith("."))


def _last_touched(folder: Path) -> datetime:
    times = [max(place.stat().st_mtime, place.stat().st_atime) for place in folder.iterdir() if place.is_file()]
    return datetime.fromtimestamp(max(times, default=folder.stat().st_mtime), UTC)


def folder_bytes(folder: Path) -> int:
    """Bytes that removing `folder` gives back: blocks of files that have no second name elsewhere."""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                found = Path(top, name).lstat()
            except FileNotFoundError:
                continue
            total += found.st_blocks * 512 if found.st_nlink == 1 else 0
    return total


def remove_folder(folder: Path) -> None:
    """Take a folder out of sight at once, then delete it: a killed removal leaves nothing that looks complete."""
    doomed = folder.with_name(f".removing-{folder.name}")
    if existing(folder) == folder:
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
