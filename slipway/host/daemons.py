"""Background programs of one installation (Prefect server, worker, receiver), each with a pid file and a log."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from slipway.processes import kill_tree


@dataclass(frozen=True)
class Daemon:
    """A program by name; `home` is the installation's folder. The pid file holds the start time, too: pids recur."""

    name: str
    home: Path

    @property
    def log(self) -> Path:
        """Where it writes."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            pid, started = self._pid_file.read_text().split()
            process = psutil.Process(int(pid))
            if process.create_time() == float(started) and process.status() != psutil.STATUS_ZOMBIE:
                return process.pid
        return None

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start it in a session of its own unless it runs already."""
        if self.pid:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}")

    def stop(self) -> bool:
        """End it and its children; whether it ran."""
        pid = self.pid
        if pid:
            kill_tree(pid)
        self._pid_file.unlink(missing_ok=True)
        return pid is not None

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    @property
    def _pid_file(self) -> Path:
        return self.home / "run" / f"{self.name}.pid"
