"""Unit tests touch nothing outside: no socket, no process. What needs one belongs to tests/engine or tests/service."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

_FORBIDDEN = {
    "socket.connect": "opens a connection",
    "socket.bind": "binds an address",
    "socket.sendto": "sends a datagram",
    "socket.getaddrinfo": "looks up a host name",
    "socket.gethostbyname": "looks up a host name",
    "subprocess.Popen": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.system": "starts a process",
    "os.exec": "starts a process",
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
}


class _Guard:
    """An audit hook cannot be removed, so there is one, and it is armed while a unit test runs."""

    def __init__(self) -> None:
        self.armed = False
        self.older_threads: set[int] = set()
        self.seen: list[str] = []

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        """Called by the interpreter. Threads that other tests left behind may do what they did before."""
        if not self.armed or event not in _FORBIDDEN or threading.get_ident() in self.older_threads:
            return
        told = f"a unit test {_FORBIDDEN[event]} ({event}{arguments!r:.200}): move it to tests/engine or tests/service"
        self.seen.append(told)
        pytest.fail(told)


_GUARD = _Guard()
sys.addaudithook(_GUARD.hear)


@pytest.fixture(autouse=True)
def nothing_outside() -> Iterator[None]:
    """Fail a test that opens a connection or starts a process, in whichever of its threads, and even if it hides it."""
    _GUARD.seen.clear()
    _GUARD.older_threads = {thread.ident or 0 for thread in threading.enumerate()} - {threading.get_ident()}
    _GUARD.armed = True
    yield
    _GUARD.armed = False
    if _GUARD.seen:
        pytest.fail(_GUARD.seen[0])
