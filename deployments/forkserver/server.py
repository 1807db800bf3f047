"""Forks on request, and keeps each child and the client that stands for it in step."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SOCKET = "forkserver.sock"
"""Its name in the `run` folder of the installation's home."""
_LARGEST_ORDER = 200_000  # what Linux lets through in one packet
_PATIENCE_S = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Order:
    """What a forked child is to be: its folder, its environment, and descriptors for its input and outputs."""

    folder: str
    environment: dict[str, str]
    streams: tuple[int, ...]

    def take_on(self) -> None:
        """Make this process that child."""
        for standard, stream in enumerate(self.streams):
            os.dup2(stream, standard)
        self.close()
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)

    def close(self) -> None:
        """Let go of the descriptors."""
        for stream in self.streams:
            os.close(stream)


class Forkserver:
    """Listens in *folder*. One thread, so that forking is safe: nothing before `serve` may start another."""

    def __init__(self, folder: Path, is_stale: Callable[[], bool], renew: Callable[[], None]) -> None:
        self._is_stale = is_stale
        self._renew = renew
        self._children: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._listener = _listen(folder)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def serve(self) -> Order:
        """Returns in each child, with its order; the server itself goes on until it is killed."""
        gc.freeze()  # what is there now stays shared with every child
        while True:
            # One event at a time: it may close what the next one is about.
            key, _ = self._selector.select()[0]
            order: Order | None = key.data()
            if order:
                return order

    def _accept(self) -> Order | None:
        client, _ = self._listener.accept()
        if self._is_stale():
            client.close()  # it then runs by itself
            if not self._children:
                self._renew()
            return None
        order = _read(client)
        if order is None:
            client.close()
            return None
        return self._fork(order, client)

    def _fork(self, order: Order, client: socket.socket) -> Order | None:
        server, pid = os.getpid(), os.fork()
        if not pid:
            self._leave(server)
            return order
        order.close()
        with suppress(OSError):
            client.send(str(pid).encode())
        self._children.add(pid)
        ends = os.pidfd_open(pid)
        self._selector.register(ends, selectors.EVENT_READ, lambda: self._ended(pid, ends, client))
        self._selector.register(client, selectors.EVENT_READ, lambda: self._abandoned(pid, client))
        return None

    def _ended(self, pid: int, ends: int, client: socket.socket) -> None:
        _, status = os.waitpid(pid, 0)
        self._children.remove(pid)
        self._selector.unregister(ends)
        os.close(ends)
        if client.fileno() >= 0:  # it still waits
            with suppress(OSError):
                client.send(str(os.waitstatus_to_exitcode(status)).encode())
            self._forget(client)

    def _abandoned(self, pid: int, client: socket.socket) -> None:
        self._forget(client)
        os.kill(pid, signal.SIGKILL)

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        client.close()

    def _leave(self, server: int) -> None:
        """In a child: nothing of the server's stays open here, and the kernel ends us with it."""
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            os.kill(os.getpid(), signal.SIGKILL)


def imported_code() -> dict[Path, int]:
    """Every imported file, with the time it was changed last: 0 when it is gone."""
    files = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    return {file: file.stat().st_mtime_ns if file.exists() else 0 for file in files}


def _listen(folder: Path) -> socket.socket:
    """Only this user may connect: whoever does has us run what they like."""
    os.chdir(folder)  # paths of sockets are short; the folder's may be long
    Path(SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o077)
    listener.bind(SOCKET)
    os.umask(before)
    listener.listen(64)
    return listener


def _read(client: socket.socket) -> Order | None:
    """None when it sends none in time, or none that can be read."""
    client.settimeout(_PATIENCE_S)
    streams: list[int] = []
    try:
        data, streams, _, _ = socket.recv_fds(client, _LARGEST_ORDER, 3)
        found = json.loads(data)
        order = Order(found["folder"], found["environment"], tuple(streams))
    except (OSError, ValueError, KeyError, TypeError):
        for stream in streams:
            os.close(stream)
        return None
    client.setblocking(True)
    return order
