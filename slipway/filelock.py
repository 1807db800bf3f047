"""One run at a time for a shared folder; the lock goes with the process that holds it, however it dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.errors import DeadlineExceeded

_POLL_S = 0.05


@contextmanager
def held(path: Path, *, deadline_s: float) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` (made when missing, never removed) for the length of a `with` block.

    Raises `DeadlineExceeded` when another run keeps it for longer than `deadline_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    give_up = time.monotonic() + deadline_s
    with path.open("a") as handle:
        while not _taken(handle.fileno()):
            if time.monotonic() > give_up:
                raise DeadlineExceeded(
                    f"another run has held {path} for more than {deadline_s:.0f} s",
                    next_step="wait for that run to end, or stop it",
                )
            time.sleep(_POLL_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
