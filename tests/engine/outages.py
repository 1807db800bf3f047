"""Outsides that go away and come back: a registry, an engine's socket, a disk, a port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from slipway.host import names
from slipway.processes import kill_tree, run
from tests.engine.conftest import ROOT, Harness

ENGINE_SOCKET = "/var/run/docker.sock"


@contextmanager
def registry_down(harness: Harness) -> Iterator[None]:
    """The registry's container is stopped within the block."""
    name = names.registry(harness.workshop.settings.instance)
    run(["docker", "stop", "--time", "1", name], deadline_s=30)
    try:
        yield
    finally:
        run(["docker", "start", name], deadline_s=30)
        harness.workshop.harbour.ensure_registry()


class EngineSocket:
    """The engine's socket under another name, which can be cut, connections and all, and mended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def mend(self) -> None:
        """Answer (again)."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path.unlink(missing_ok=True)
        listener.bind(str(self.path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """As when the engine is stopped: nobody listens, and every connection ends."""
        if self._listener:
            _end(self._listener)
            self._listener = None
        while self._open:
            _end(self._open.pop())

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                engine.connect(ENGINE_SOCKET)
                self._open += [client, engine]
                for here, there in ((client, engine), (engine, client)):
                    threading.Thread(target=_copy, args=(here, there), daemon=True).start()


def _copy(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of this size."""
    folder.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], deadline_s=10)
    try:
        yield folder
    finally:
        run(["umount", str(folder)], deadline_s=10)


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        yield int(other.getsockname()[1])


@contextmanager
def shipping(repository: Path, *, impatient: bool = False, environ: dict[str, str], **parameters: str) -> Iterator[Any]:
    """A run in a process of its own with this environment; what it is given back ends it and says how."""
    words = [json.dumps({"repository": str(repository), **parameters}), *(["impatient"] if impatient else [])]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.engine.shipping", *words],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        stack.callback(lambda: kill_tree(process.pid) if psutil.pid_exists(process.pid) else None)
        yield lambda: _ended(process)


def _ended(process: subprocess.Popen[str]) -> dict[str, str]:
    said, _ = process.communicate(timeout=200)
    last = said.rstrip().splitlines()[-1]
    assert last.startswith("ended "), said
    found: dict[str, str] = json.loads(last.removeprefix("ended "))
    print(f"\n{found['kind']}: {found['error']}")
    return {**found, "said": said}
