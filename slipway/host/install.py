"""Gets a Docker Engine and the building tools onto Debian and Ubuntu, and starts the engine, systemd or not.

`python -m slipway.host.install PACKAGE...` does both, and installs what else is named.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.engine import Engine
from slipway.errors import CommandFailed, EngineUnavailable, HostNotReady
from slipway.host.daemons import Daemon
from slipway.processes import run
from slipway.settings import Settings

Say = Callable[[str], None]

TOOLS = ("git", "buildah", "runc", "mmdebstrap", "debian-archive-keyring", "skopeo", "ca-certificates")
"""Debian packages that building needs, besides the engine."""
_ENGINE_PACKAGE = "docker.io"
_PROGRAMS = {_ENGINE_PACKAGE: "dockerd", "iproute2": "ip", "e2fsprogs": "mkfs.ext4"}
_FILES = {
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.*",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
}
_APT_DEADLINE_S = 900.0
_START_DEADLINE_S = 60.0
_POLL_S = 0.3
# apt's words for package lists that are empty or too old.
_STALE = ("Unable to locate package", "has no installation candidate", "404 ", "Unable to fetch some archives")


@dataclass(frozen=True)
class Start:
    """How an engine is started where systemd does not run: more arguments for dockerd, and the daemon's name."""

    arguments: tuple[str, ...] = ()
    name: str = "dockerd"
    deadline_s: float = _START_DEADLINE_S


def ensure_engine(settings: Settings, on_line: Say, start: Start | None = None) -> str:
    """The version of the engine that answers; installed and started first where it does not.

    Raises `HostNotReady` in one sentence where that takes the machine's owner.
    """
    version = _answering()
    if version:
        return version
    if os.environ.get("DOCKER_HOST") and start is None:
        raise HostNotReady(
            f"no Docker Engine answers at {os.environ['DOCKER_HOST']}, which DOCKER_HOST names",
            next_step="start that engine, or unset DOCKER_HOST to use this machine's own",
        )
    if not is_here(_ENGINE_PACKAGE):
        install_missing((_ENGINE_PACKAGE, *TOOLS), on_line)
    return start_engine(settings, on_line, start or Start())


def ensure_tools(on_line: Say) -> None:
    """What building needs besides the engine is installed."""
    install_missing(TOOLS, on_line)


def install_missing(packages: Sequence[str], on_line: Say) -> tuple[str, ...]:
    """Install what is not here; returns what that was. The package lists are read anew only when they are too old.

    Raises `HostNotReady` where Slipway cannot install, `CommandFailed` with apt's last lines.
    """
    missing = tuple(name for name in packages if not is_here(name))
    if not missing:
        return ()
    if not can_install():
        raise _not_ours(missing)
    on_line(f"installing {', '.join(missing)}")
    try:
        _apt(_install_arguments(missing), on_line)
    except CommandFailed as failed:
        if not any(words in failed.tail for words in _STALE):
            raise
        on_line("the package lists are missing or old: reading them anew")
        _apt(["update"], on_line)
        _apt(_install_arguments(missing), on_line)
    return missing


def is_here(package: str) -> bool:
    """Whether a package's work can be done here, whoever installed it (docker-ce brings dockerd and runc, too)."""
    if package in _FILES:
        return any(Path("/").glob(_FILES[package].lstrip("/")))
    # Ordinary users often lack the sbin folders in PATH, and the programs are there all the same.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    return shutil.which(_PROGRAMS.get(package, package), path=path) is not None


def can_install() -> bool:
    """Whether this is Debian or one of its family, and we are root."""
    return os.geteuid() == 0 and is_debian_family(_os_release()) and shutil.which("apt-get") is not None


def is_debian_family(os_release: dict[str, str]) -> bool:
    """By /etc/os-release."""
    family = {os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()}
    return bool(family & {"debian", "ubuntu"})


def install_command(packages: Sequence[str]) -> str:
    """What a person types to get these packages."""
    return f"apt-get {' '.join(_install_arguments(packages))}"


def start_engine(settings: Settings, on_line: Say, start: Start) -> str:
    """Start the engine and wait until it answers; its version. It stays when we end.

    Raises `HostNotReady` with the end of its log when it does not answer in time, or ends.
    """
    if Path("/run/systemd/system").is_dir() and not start.arguments:
        on_line("starting Docker through systemd")
        run(["systemctl", "start", "docker"], deadline_s=start.deadline_s, on_line=on_line)
        return _wait(start, None)
    if os.geteuid() != 0:
        raise HostNotReady(
            "the Docker Engine does not run, and only root can start it", next_step="sudo systemctl start docker"
        )
    daemon = Daemon(start.name, settings.home)
    settings.home.mkdir(parents=True, exist_ok=True)
    on_line(f"starting dockerd, which writes to {daemon.log}")
    daemon.start(["dockerd", *start.arguments], {}, settings.home)
    return _wait(start, daemon)


def _wait(start: Start, daemon: Daemon | None) -> str:
    give_up = time.monotonic() + start.deadline_s
    while time.monotonic() < give_up:
        version = _answering()
        if version:
            return version
        if daemon and daemon.pid is None:
            break
        time.sleep(_POLL_S)
    last_words = daemon.last_words() if daemon else ""
    if daemon:
        daemon.stop()
    raise HostNotReady(
        f"the Docker Engine did not answer within {start.deadline_s:.0f} s of its start",
        tail=last_words,
        next_step=f"read {daemon.log} for its reason" if daemon else "journalctl --unit docker says why",
    )


def _answering() -> str:
    """The engine's version, or nothing. Raises `HostNotReady` when it runs and refuses this user."""
    try:
        return Engine(deadline_s=5).version()
    except EngineUnavailable as silent:
        if "Permission denied" in silent.tail or "PermissionError" in silent.tail:
            raise HostNotReady(
                "the Docker Engine runs, but this user may not talk to it",
                tail=silent.tail,
                next_step="sudo usermod -aG docker $USER, then log in again; or run as root",
            ) from silent
        return ""


def _install_arguments(packages: Sequence[str]) -> list[str]:
    return ["install", "--yes", "--no-install-recommends", *packages]


def _apt(arguments: Sequence[str], on_line: Say) -> None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C"}
    # Another apt (unattended upgrades on a fresh machine) is waited for, not run into.
    run(
        ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments], deadline_s=_APT_DEADLINE_S, env=quiet, on_line=on_line
    )


def _not_ours(missing: Sequence[str]) -> HostNotReady:
    if is_debian_family(_os_release()):
        how = f"as root: {install_command(missing)}"
    else:
        how = (
            "install Docker Engine 20.10 or newer (docs.docker.com/engine/install) and start it; images are built with "
        )
        how += "buildah, or with BuildKit through `docker buildx create --driver docker-container`"
    return HostNotReady(f"this machine lacks {', '.join(missing)}, which only its owner can install", next_step=how)


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


if __name__ == "__main__":
    ensure_engine(Settings.from_environment(), print)
    install_missing((*TOOLS, *sys.argv[1:]), print)
