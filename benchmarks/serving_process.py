"""A server that a benchmark starts, and what it uses; processes of its own count with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.ports import free_port  # noqa: E402

_PATIENCE_S = 180


@dataclass(frozen=True)
class Server:
    """A ready one; it was *ready_s* after its start."""

    port: int
    process: psutil.Process
    ready_s: float

    def resident_mb(self) -> float:
        return sum(process.memory_info().rss for process in self._tree()) / 1e6

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._tree())

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str], ready: str = "/ready") -> Iterator[Server]:
    """*command* and *environment* may say {port}; *ready* is the path that answers 200 when it is. Or SystemExit."""
    port, began = free_port(), time.monotonic()
    command = [part.replace("{port}", str(port)) for part in command]
    own = {name: value.replace("{port}", str(port)) for name, value in environment.items()}
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(command, env={**os.environ, **own}, stdout=quiet, stderr=quiet)
    try:
        while not _answers(f"http://127.0.0.1:{port}{ready}"):
            if running.poll() is not None or time.monotonic() - began > _PATIENCE_S:
                raise SystemExit(f"it did not become ready: {' '.join(command)}")
            time.sleep(0.02)
        yield Server(port, psutil.Process(running.pid), time.monotonic() - began)
    finally:
        running.terminate()
        running.wait(30)


def mgeo(model: Path, engine: str, python: str, config: Path | None = None) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the service from this checkout; *config* has what is not as usual."""
    environment = {
        "PYTHONPATH": str(ROOT / "docker/mgeo"),
        "MGEO_MODEL": str(model.resolve()),
        "MGEO_ENGINE": engine,
        "MGEO_HOST": "127.0.0.1",
        "MGEO_PORT": "{port}",
    }
    return [python, "-m", "mgeo.server"], environment | ({"MGEO_CONFIG": str(config)} if config else {})


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
