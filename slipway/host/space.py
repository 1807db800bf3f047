"""The free-space gate: no build starts that would fill a disk.

Marks are shares of a file system's reachable bytes (used + free for us), as `df` counts: blocks reserved for root or
beyond a quota are neither.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.engine import Engine
from slipway.errors import NotEnoughSpace
from slipway.host.removal import CleanupReport, amount
from slipway.settings import Settings

Prune = Callable[[Mapping[int, int]], CleanupReport]
"""Frees bytes per device (`st_dev`); `Cleanup.prune` is one."""


@dataclass(frozen=True)
class Marks:
    """Cleaning up starts above `high_water` and ends at `low_water`; both are used shares of a file system, 0-1."""

    high_water: float = 0.85
    low_water: float = 0.75


@dataclass(frozen=True)
class SpaceDecision:
    """`to_free`: bytes to the low-water mark, 0 below the high one. `missing`: bytes by which the work does not fit."""

    to_free: int
    missing: int


def judge_space(
    free_bytes: int, total_bytes: int, needed_bytes: int, high_water: float, low_water: float
) -> SpaceDecision:
    """What to do before work that will write `needed_bytes`: the marks are held against the disk as it will be after.

    Work that even an empty disk could not hold asks for no cleaning up: it is refused, and nothing is lost for it.
    """
    missing = max(0, needed_bytes - free_bytes)
    used = total_bytes - free_bytes
    after = used + needed_bytes
    if needed_bytes > total_bytes or after <= high_water * total_bytes:
        return SpaceDecision(to_free=0, missing=missing)
    return SpaceDecision(to_free=min(used, math.ceil(after - low_water * total_bytes)), missing=missing)


@dataclass(frozen=True)
class Filesystem:
    """One file system, by the folders of ours that lie on it; `total` is used + free for us."""

    device: int
    folders: tuple[Path, ...]
    free: int
    total: int

    @property
    def name(self) -> str:
        """The folders, for people."""
        return ", ".join(map(str, self.folders))


@dataclass(frozen=True)
class Needs:
    """Bytes that a run will write: unpacked images into the engine; layers, wheels and models into the cache; packed
    images into the local registry, checkouts and logs into home."""

    engine: int = 0
    cache: int = 0
    home: int = 0


@dataclass(frozen=True)
class SpaceReport:
    """The disks after the gate: (file system, bytes that the run needs there), and what was cleaned up for it."""

    disks: tuple[tuple[Filesystem, int], ...]
    cleaned: CleanupReport = field(default_factory=CleanupReport)

    def to_markdown(self) -> str:
        """A table of the disks, and of what was cleaned up, if anything."""
        rows = [
            f"| {disk.name} | {amount(disk.free)} of {amount(disk.total)} | {amount(needed)} |"
            for disk, needed in self.disks
        ]
        table = "\n".join(["| disk | free | needed |", "|---|---:|---:|", *rows])
        return f"{table}\n\n{self.cleaned.to_markdown()}" if self.cleaned.removed else table


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists: where it will be made."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def device_of(folder: Path) -> int:
    """Which file system a folder lies on, or will."""
    return existing(folder).stat().st_dev


def read_filesystems(folders: Iterable[Path]) -> tuple[Filesystem, ...]:
    """The file systems under these folders, each once."""
    by_device: dict[int, list[Path]] = {}
    for folder in folders:
        by_device.setdefault(device_of(folder), []).append(folder)
    return tuple(_read(device, tuple(found)) for device, found in by_device.items())


def _read(device: int, folders: tuple[Path, ...]) -> Filesystem:
    usage = shutil.disk_usage(existing(folders[0]))
    return Filesystem(device, folders, usage.free, usage.used + usage.free)


def needed_by_folder(settings: Settings, engine: Engine, needs: Needs) -> dict[Path, int]:
    """Folder -> bytes for `ensure_space`; without the engine's own folder where that lies in another machine."""
    data = Path(engine.data_folder())
    seen = [(settings.home, needs.home), (settings.cache, needs.cache)]
    found: dict[Path, int] = {}
    for folder, size in [*seen, (data, needs.engine)] if data.exists() else seen:
        found[folder] = found.get(folder, 0) + size
    return found


def ensure_space(needed: Mapping[Path, int], prune: Prune, marks: Marks | None = None) -> SpaceReport:
    """Room for `needed` bytes per folder, cleaned up to the low-water mark where a disk would pass the high one.

    Raises `NotEnoughSpace` with the numbers when it does not fit even then.
    """
    marks = marks or Marks()
    goals = {disk.device: judged.to_free for disk, _, judged in _judge(needed, marks) if judged.to_free}
    cleaned = prune(goals) if goals else CleanupReport()
    judged_after = _judge(needed, marks)
    for disk, size, judged in judged_after:
        if judged.missing:
            raise _refusal(disk, size, judged.missing, cleaned)
    return SpaceReport(tuple((disk, size) for disk, size, _ in judged_after), cleaned)


def _judge(needed: Mapping[Path, int], marks: Marks) -> list[tuple[Filesystem, int, SpaceDecision]]:
    judged = []
    for disk in read_filesystems(needed):
        size = sum(needed[folder] for folder in disk.folders)
        decision = judge_space(disk.free, disk.total, size, marks.high_water, marks.low_water)
        judged.append((disk, size, decision))
    return judged


def _refusal(disk: Filesystem, needed: int, missing: int, cleaned: CleanupReport) -> NotEnoughSpace:
    return NotEnoughSpace(
        f"not enough disk space: {amount(disk.free)} free of {amount(disk.total)}, {amount(needed)} needed, "
        f"{amount(missing)} missing; nothing was built",
        subject=f"the file system of {disk.name}",
        tail=f"cleaned up before giving up: {cleaned.in_words()}",
        next_step=f"free {amount(missing)} there, or set SLIPWAY_HOME and SLIPWAY_CACHE to folders on a larger disk",
    )
