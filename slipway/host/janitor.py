"""Sweeps up after runs that died: their containers and folders, slots past their time, folders never finished."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway.engine import FLOW_RUN, INSTANCE, Engine
from slipway.errors import DeadlineExceeded, PermanentError, RouterUnavailable
from slipway.filelock import held
from slipway.host import names
from slipway.ledger.slots import Slots
from slipway.rollout.blue_green import Slot, to_retire
from slipway.rollout.haproxy import Router
from slipway.settings import Settings

Alive = Callable[[frozenset[str]], frozenset[str]]
"""Of these flow-run ids, those that are still running. It is asked after looking, so no new run is taken for dead."""

_GRACE_S = 30
_LOCK_DEADLINE_S = 1.0
_UNFINISHED = timedelta(days=1)
# Where, below the cache (or the system's temporary folder), which names mean "not finished".
_UNFINISHED_PLACES = {
    "bases": (".making-*", ".removing-*"),
    "models": (".training-*", ".removing-*"),
    "wheels": (".*-*",),
    "git": ("*.new-*",),
    "git/checkouts": (".removing-*",),
}


@dataclass(frozen=True)
class JanitorReport:
    """What was swept up: container names, folders, slots (`environment/service/slot`), and what could not be."""

    containers: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: JanitorReport) -> JanitorReport:
        return JanitorReport(
            self.containers + other.containers,
            self.folders + other.folders,
            self.retired + other.retired,
            self.failed + other.failed,
        )

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.containers or self.folders or self.retired or self.failed)

    def to_markdown(self) -> str:
        """A list of everything, by kind."""
        kinds = {"containers of dead runs": self.containers, "folders": self.folders, "slots retired": self.retired}
        lines = [f"- {kind}: {', '.join(f'`{name}`' for name in found)}" for kind, found in kinds.items() if found]
        lines += [f"- `{name}` stayed: {reason}" for name, reason in self.failed]
        return "\n".join(lines) or "Nothing to sweep up."


@dataclass(frozen=True)
class Janitor:
    """Touches only what carries this instance's label or lies in its folders."""

    settings: Settings
    engine: Engine
    slots: Slots

    def sweep(self, alive: Alive, now: datetime) -> JanitorReport:
        """All of it. Nothing is touched when `alive` raises; one failure does not stop the rest."""
        reaped = self._reap(alive)
        unfinished = [folder for folder in self._unfinished() if _changed(folder) < now - _UNFINISHED]
        return reaped + self._retire(now) + _delete(unfinished)

    def of_run(self, flow_run: str) -> JanitorReport:
        """What one run that just ended left; for its cancellation and crash hooks."""
        return self._reap(lambda found: found - {flow_run})

    def _reap(self, alive: Alive) -> JanitorReport:
        mine = self.engine.labelled({INSTANCE: self.settings.instance})
        containers = {found.name: found.labels.get(FLOW_RUN, "") for found in mine}
        work = self.settings.home / "work"
        folders = sorted(work.iterdir()) if work.is_dir() else []
        runs = frozenset({run for run in containers.values() if run} | {folder.name for folder in folders})
        dead = runs - alive(runs) if runs else frozenset()
        report = _delete(folder for folder in folders if folder.name in dead)
        for name, run in containers.items():
            if run in dead:
                report += self._remove(name)
        return report

    def _remove(self, name: str) -> JanitorReport:
        try:
            self.engine.remove(name)
        except PermanentError as refused:
            return JanitorReport(failed=((name, refused.tail or refused.what),))
        return JanitorReport(containers=(name,))

    def _retire(self, now: datetime) -> JanitorReport:
        report = JanitorReport()
        for environment, service in sorted({(found[0], found[1]) for found in self.slots.everywhere()}):
            if to_retire(self.slots.read(environment, service), now):
                try:
                    with held(rollout_lock(self.settings, environment, service), deadline_s=_LOCK_DEADLINE_S):
                        report += self._retire_in(environment, service, now)
                except (DeadlineExceeded, RouterUnavailable, PermanentError) as later:
                    report += JanitorReport(failed=((f"{environment}/{service}", later.what),))
        return report

    def _retire_in(self, environment: str, service: str, now: datetime) -> JanitorReport:
        """Stop what stood by here long enough, as long as neither ledger nor router gives it traffic."""
        retired = []
        for slot in to_retire(self.slots.read(environment, service), now):
            # A rollback that died between router and ledger leaves traffic where the ledger expects none.
            if self._observed(environment, service).get(slot, 0) == 0:
                self.engine.stop(names.slot(self.settings.instance, environment, service, slot), _GRACE_S)
                self.slots.vacate(environment, service, slot)
                retired.append(f"{environment}/{service}/{slot}")
        return JanitorReport(retired=tuple(retired))

    def _observed(self, environment: str, service: str) -> dict[Slot, int]:
        if self.engine.find(names.router(self.settings.instance, environment, service)) is None:
            return {}
        return Router(self.settings.home / "routers" / f"{environment}-{service}").weights()

    def _unfinished(self) -> Iterator[Path]:
        for place, patterns in _UNFINISHED_PLACES.items():
            for pattern in patterns:
                yield from sorted((self.settings.cache / place).glob(pattern))
        yield from sorted(Path(tempfile.gettempdir()).glob("slipway-build-*"))


def rollout_lock(settings: Settings, environment: str, service: str) -> Path:
    """The lock that rollouts hold; the router's folder is beside it."""
    return (settings.home / "routers" / f"{environment}-{service}").with_suffix(".lock")


def _changed(folder: Path) -> datetime:
    """When a folder itself last changed; unlike its other times, nothing can set that. One that just went is fresh."""
    try:
        return datetime.fromtimestamp(folder.stat().st_ctime, UTC)
    except FileNotFoundError:
        return datetime.max.replace(tzinfo=UTC)


def _delete(folders: Iterable[Path]) -> JanitorReport:
    gone, failed = list[str](), list[tuple[str, str]]()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            failed.append((str(folder), "something in it could not be deleted; look at its owner"))
        else:
            gone.append(str(folder))
    return JanitorReport(folders=tuple(gone), failed=tuple(failed))
