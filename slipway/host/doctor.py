"""Looks a machine over: what is there, what is missing, and how to mend each. Never changes anything, never raises."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import httpx

from slipway.engine import Engine
from slipway.errors import EngineUnavailable, SlipwayError
from slipway.host.daemons import Daemon
from slipway.host.harbour import port_is_free
from slipway.host.install import can_install, install_command, is_here
from slipway.host.removal import amount
from slipway.host.space import read_filesystems
from slipway.image.base import BaseRecipe
from slipway.image.builder import find_builder
from slipway.processes import run
from slipway.redaction import redact
from slipway.settings import Settings
from slipway.verify.machine import observe_machine

DEADLINE_S = 3.0
_EACH_S = 2.0
_TIGHT = 5e9
_WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)
_SKEW_S = 300.0
_INDEX = "https://pypi.org/simple/"
_INFORMATION = frozenset({"skopeo", "Prefect server", "GPU", "package index"})


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` says how to put it right; not `required` things only cost something when missing."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    required: bool = True


@dataclass(frozen=True)
class Port:
    """A port that Slipway listens on, and which of its own containers or daemons may hold it."""

    number: int
    purpose: str
    container: str = ""
    daemon: str = ""


@dataclass(frozen=True)
class Examination:
    """What to look at: the installation, its ports, and the recipes of every base image it needs."""

    settings: Settings
    ports: Sequence[Port] = ()
    recipes: Sequence[BaseRecipe] = ()
    index: str = field(default_factory=lambda: os.environ.get("PIP_INDEX_URL", ""))

    def checks(self) -> dict[str, Callable[[], Finding]]:
        """Every check by what it looks at."""
        return {
            "Python": self.python,
            "Docker Engine": self.engine,
            "image builder": self.builder,
            "base images": self.bases,
            "git": lambda: _program("git", "sources are cloned with it"),
            "runc": lambda: _program("runc", "image builds run their steps in it"),
            "skopeo": lambda: _program("skopeo", "pinned base images are pulled with it"),
            "disk space": self.space,
            "Prefect server": self.prefect,
            "GPU": self.gpu,
            "package index": self.package_index,
            "clock": self.clock,
            **{f"port {port.number}": partial(self.port, port) for port in self.ports},
        }

    def python(self) -> Finding:
        """The version that everything here is locked for."""
        found = ".".join(map(str, sys.version_info[:3]))
        return Finding("Python", sys.version_info[:2] == (3, 11), found, "make the environment with Python 3.11")

    def engine(self) -> Finding:
        """Whether a Docker Engine answers."""
        return Finding("Docker Engine", True, f"version {Engine(deadline_s=2).version()}")

    def builder(self) -> Finding:
        """What would build images."""
        return Finding("image builder", True, find_builder(self.settings.cache / "buildah").name)

    def bases(self) -> Finding:
        """Every base is here already, can be bootstrapped, or can be pulled by its digest."""
        if is_here("mmdebstrap") and is_here("debian-archive-keyring"):
            return Finding("base images", True, "bootstrapped with mmdebstrap")
        missing = [recipe for recipe in self.recipes if not self._made(recipe) and not _can_pull(recipe)]
        names = ", ".join(recipe.name for recipe in missing)
        detail = f"no way to make {names}" if missing else "here already, or pulled by digest"
        return Finding("base images", not missing, detail, _installation("mmdebstrap", "debian-archive-keyring"))

    def _made(self, recipe: BaseRecipe) -> bool:
        return (self.settings.cache / "bases" / recipe.tag).is_dir()

    def space(self) -> Finding:
        """The fullest of our disks."""
        data = Path("/var/lib/docker")
        with suppress(EngineUnavailable):
            data = Path(Engine(deadline_s=2).data_folder())
        folders = [self.settings.home, self.settings.cache, data]
        tightest = min(read_filesystems(folders), key=lambda disk: disk.free)
        detail = f"{amount(tightest.free)} of {amount(tightest.total)} free for {tightest.name}"
        mend = f"free some, or move SLIPWAY_HOME and SLIPWAY_CACHE; a first build wants {amount(int(_TIGHT))}"
        return Finding("disk space", tightest.free >= _TIGHT, detail, mend)

    def port(self, port: Port) -> Finding:
        """Free, or held by what should hold it."""
        name, mend = f"port {port.number}", "stop what listens there, or set SLIPWAY_PORT_OFFSET to move all ports"
        if port_is_free(port.number):
            return Finding(name, True, f"free for {port.purpose}")
        if port.daemon and Daemon(port.daemon, self.settings.home).pid:
            return Finding(name, True, f"{port.purpose} runs there")
        found = Engine(deadline_s=2).find(port.container) if port.container else None
        if found and found.status == "running":
            return Finding(name, True, f"{port.purpose} runs there")
        return Finding(name, False, f"taken by another program; {port.purpose} needs it", mend)

    def prefect(self) -> Finding:
        """Whether the Prefect server answers; `make up` starts it."""
        url = f"{self.settings.prefect_api}/health"
        answered = _answer(url) is not None
        detail = f"answers at {self.settings.prefect_ui}" if answered else f"does not answer at {url}"
        return Finding("Prefect server", answered, detail, "start it: `make up`")

    def gpu(self) -> Finding:
        """Whether there is a GPU, and whether containers can have it."""
        gpu = observe_machine(deadline_s=_EACH_S).gpu
        if gpu is None:
            return Finding("GPU", True, "none: images are checked on the CPU, and marked so")
        usable = Engine(deadline_s=2).has_gpu_runtime()
        detail = f"{gpu.name}, {'usable' if usable else 'not usable'} by containers"
        return Finding("GPU", usable, detail, "install nvidia-container-toolkit, restart the engine")

    def package_index(self) -> Finding:
        """Whether wheels could be fetched; not needed once they are in the wheelhouse."""
        index = self.index or _configured_index()
        answered = _answer(index) is not None
        detail = f"{redact(index)} {'answers' if answered else 'does not answer'}"
        mend = "wheels that are not here yet cannot be fetched; set another index (`pip config`) or mend the network"
        return Finding("package index", answered, detail, mend)

    def clock(self) -> Finding:
        """Not before this software was written, and not far from what the index says."""
        now, mend = datetime.now(UTC), "set the clock, e.g. `timedatectl set-ntp true`"
        if now < _WRITTEN:
            return Finding("clock", False, f"it says {now:%Y-%m-%d}, which is before this software was written", mend)
        answer = _answer(self.index or _configured_index())
        if answer is None or "date" not in answer.headers:
            return Finding("clock", True, f"{now:%Y-%m-%d %H:%M} UTC, compared with nothing")
        apart = abs((parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)).total_seconds())
        return Finding("clock", apart <= _SKEW_S, f"{apart:.0f} s from the package index", mend)


def examine(settings: Settings, ports: Sequence[Port] = (), recipes: Sequence[BaseRecipe] = ()) -> tuple[Finding, ...]:
    """Every check side by side, at most `DEADLINE_S` in all; one that fails or is late is a finding, too."""
    return take_all(Examination(settings, ports, recipes).checks())


def take_all(checks: Mapping[str, Callable[[], Finding]], deadline_s: float = DEADLINE_S) -> tuple[Finding, ...]:
    """The findings of these checks, in their order, run in threads that cannot keep the program from ending."""
    found: dict[str, Finding] = {}
    threads = [threading.Thread(target=_take, args=(name, check, found), daemon=True) for name, check in checks.items()]
    give_up = time.monotonic() + deadline_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=max(0.0, give_up - time.monotonic()))
    late = Finding("", False, f"no answer within {deadline_s:.0f} s", "look at that first, then ask again")
    named = [replace(found.get(name, late), name=name) for name in checks]
    return tuple(replace(one, required=one.name not in _INFORMATION) for one in named)


def _take(name: str, check: Callable[[], Finding], found: dict[str, Finding]) -> None:
    """A check's finding, or what kept it from one."""
    try:
        found[name] = check()
    except SlipwayError as failed:
        found[name] = Finding(name, False, failed.what, failed.next_step)
    except Exception as bug:
        found[name] = Finding(name, False, f"could not be looked at: {bug!r}", "run again with --debug")


def _program(name: str, purpose: str) -> Finding:
    where = shutil.which(name)
    if not where:
        return Finding(name, False, f"not installed: {purpose}", _installation(name))
    said = run([name, "--version"], deadline_s=_EACH_S, check=False).stdout.splitlines()
    return Finding(name, True, said[0] if said else where)


def _configured_index() -> str:
    """The index that pip is told to use; PyPI when it is told nothing."""
    said = run([sys.executable, "-m", "pip", "config", "list"], deadline_s=_EACH_S, check=False).stdout
    found = re.search(r"index-url='([^']+)'", re.sub(r"extra-index-url='[^']*'", "", said))
    return found[1] if found else _INDEX


def _installation(*packages: str) -> str:
    if can_install():
        return f"`{install_command(packages)}`"
    return f"install {' and '.join(packages)} with this system's own package manager"


def _can_pull(recipe: BaseRecipe) -> bool:
    """Whether the registry of the pinned stand-in answers at all."""
    registry = recipe.pull.partition("/")[0]
    return bool(recipe.pull) and is_here("skopeo") and _answer(f"https://{registry}/v2/") is not None


def _answer(url: str) -> httpx.Response | None:
    try:
        return httpx.head(url, timeout=_EACH_S / 2)
    except httpx.HTTPError:
        return None
