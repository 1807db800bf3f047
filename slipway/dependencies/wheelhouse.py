"""The adapter for pip: the wheels of a hash lock, fetched once and shared between all locks that name them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from slipway import filelock
from slipway.dependencies.lock import Pin, parse_lock
from slipway.dependencies.manifest import Manifest, Wheel, is_intact, read_manifest, sha256_of
from slipway.dependencies.pip import Download
from slipway.dependencies.target import Target
from slipway.errors import DependencyError

_WHEELS, _MANIFEST = "wheels", "manifest.json"


@dataclass(frozen=True)
class Wheels:
    """A complete wheelhouse: a folder of wheels, its content key, how many and how large (bytes) they are."""

    path: Path
    key: str
    count: int
    bytes: int
    cached: bool


@dataclass(frozen=True)
class Wheelhouse:
    """Wheelhouses under `root`, one folder per key; `extra_index_urls` are searched besides pip's own configuration.

    A folder appears under its key only when it is complete, so a killed run leaves nothing that could be taken for one.
    """

    root: Path
    extra_index_urls: tuple[str, ...] = ()
    deadline_s: float = 1800

    def fetch(self, lock: Path, target: Target | None = None, on_line: Callable[[str], None] | None = None) -> Wheels:
        """The wheels that `lock` pins for `target`; pip's output goes to `on_line`. No network when they are here.

        Raises `IndexUnavailable` when an index does not answer, `DependencyError` for a lock without hashes, a wheel
        with another hash, and a pin without a wheel for the target.
        """
        target = target or Target()
        parsed = parse_lock(_read(lock), target, name=lock.name)
        key = parsed.key(target)
        with self._held(key):
            cached = _intact_manifest(self.root / key)
            if cached:
                return _describe(self.root / key, cached, cached=True)
            with self._workplace(key) as work:
                sources = (*parsed.sources, *(f"--extra-index-url {url}" for url in self.extra_index_urls))
                download = Download(work, lock.absolute().parent, target, sources, self.deadline_s, on_line)
                manifest = self._build(work / "house", parsed.pins, download)
                shutil.rmtree(self.root / key, ignore_errors=True)
                (work / "house").rename(self.root / key)
        return _describe(self.root / key, manifest, cached=False)

    def evict(self, key: str) -> int:
        """Remove one wheelhouse; wheels that others share stay with them. Returns the bytes that became free."""
        with self._held(key):
            files = list((self.root / key / _WHEELS).glob("*.whl"))
            freed = sum(file.stat().st_size for file in files if file.stat().st_nlink == 1)
            shutil.rmtree(self.root / key, ignore_errors=True)
        return freed

    def _held(self, key: str) -> AbstractContextManager[None]:
        return filelock.held(self.root / f"{key}.lock", deadline_s=self.deadline_s)

    @contextmanager
    def _workplace(self, key: str) -> Iterator[Path]:
        """A private folder on the same file system, gone afterwards, like those of killed runs."""
        for leftover in self.root.glob(f".{key}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=self.root))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _build(self, house: Path, pins: tuple[Pin, ...], download: Download) -> Manifest:
        """Fill `house`: what another wheelhouse chose for the same pin and target is linked, the rest downloaded."""
        (house / _WHEELS).mkdir(parents=True)
        others = list(self._others(download.target))
        reused = {pin.line: wheel for pin in pins if (wheel := _reuse(pin, others, house / _WHEELS))}
        missing = [pin for pin in pins if pin.line not in reused]
        if missing:
            download.fetch(missing)
        fetched = [_adopt(pin, file, others, house / _WHEELS) for pin, file in _match(missing, download.folder)]
        wheels = sorted([*reused.values(), *fetched], key=lambda wheel: wheel.filename)
        manifest = Manifest(target=str(download.target), wheels=tuple(wheels))
        (house / _MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        return manifest

    def _others(self, target: Target) -> Iterator[tuple[Wheel, Path]]:
        """Every wheel that was chosen for `target` before, with the folder it is in."""
        for file in sorted(self.root.glob(f"*/{_MANIFEST}")):
            manifest = read_manifest(file)
            if manifest and manifest.target == str(target):
                for wheel in manifest.wheels:
                    yield wheel, file.parent / _WHEELS


def _read(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise DependencyError(
            f"the lock {lock} cannot be read: {unreadable}", next_step="name a hash-locked requirements file"
        ) from unreadable


def _intact_manifest(house: Path) -> Manifest | None:
    """The manifest of a wheelhouse that is whole; None when it is missing, or any wheel is not what it was."""
    manifest = read_manifest(house / _MANIFEST)
    if not manifest or len(list(house.glob(f"{_WHEELS}/*"))) != len(manifest.wheels):
        return None
    return manifest if all(is_intact(wheel, house / _WHEELS) for wheel in manifest.wheels) else None


def _describe(house: Path, manifest: Manifest, *, cached: bool) -> Wheels:
    size = sum(wheel.bytes for wheel in manifest.wheels)
    return Wheels(house / _WHEELS, house.name, len(manifest.wheels), size, cached)


def _match(pins: list[Pin], folder: Path) -> Iterator[tuple[Pin, Path]]:
    """Each pin with the file that was downloaded for it, whose content is checked again here."""
    files = {_distribution(file): file for file in folder.iterdir()} if pins else {}
    for pin in pins:
        file = files.get(pin.name)
        if not file or sha256_of(file) not in pin.hashes:
            raise DependencyError(f"pip left no wheel of {pin.text} with a locked hash", next_step="run again")
        yield pin, file


def _distribution(file: Path) -> str:
    with suppress(InvalidWheelFilename):
        return parse_wheel_filename(file.name)[0]
    return ""


def _reuse(pin: Pin, others: list[tuple[Wheel, Path]], folder: Path) -> Wheel | None:
    for wheel, place in others:
        if wheel.pin == pin.line and _link(wheel, place, folder):
            return wheel
    return None


def _adopt(pin: Pin, file: Path, others: list[tuple[Wheel, Path]], folder: Path) -> Wheel:
    """Put a downloaded wheel into `folder`; when another wheelhouse has the same content, that is shared instead."""
    wheel = Wheel(filename=file.name, sha256=sha256_of(file), bytes=file.stat().st_size, pin=pin.line)
    same = (place for other, place in others if (other.sha256, other.filename) == (wheel.sha256, wheel.filename))
    if not any(_link(wheel, place, folder) for place in same):
        file.chmod(0o444)  # its bytes are shared between wheelhouses
        file.rename(folder / file.name)
    return wheel


def _link(wheel: Wheel, place: Path, folder: Path) -> bool:
    """Share an intact wheel; False when it is damaged or was evicted a moment ago."""
    if not is_intact(wheel, place):
        return False
    with suppress(FileNotFoundError):
        os.link(place / wheel.filename, folder / wheel.filename)
        return True
    return False
