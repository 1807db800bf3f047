"""How far a build is, as a bar in the Prefect UI."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from slipway.image.builder import share_done

_AT_MOST_EVERY_S = 1.0


@contextlib.contextmanager
def build_bar(key: str, description: str, say: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """A listener that passes each line on to `say` and moves the bar; full when the build got to its end."""
    bar, moved_at = create_progress_artifact(0.0, key=key, description=description), time.monotonic()
    assert isinstance(bar, UUID)

    def listen(line: str) -> None:
        nonlocal moved_at
        say(line)
        share = share_done(line)
        if share is not None and time.monotonic() - moved_at > _AT_MOST_EVERY_S:
            moved_at = time.monotonic()
            _move(bar, share)

    yield listen
    _move(bar, 1.0)


def _move(bar: UUID, share: float) -> None:
    # A bar that cannot be moved must not stop the build, nor the thread that reads the builder's output.
    with contextlib.suppress(Exception):
        update_progress_artifact(bar, round(share * 100, 1))
