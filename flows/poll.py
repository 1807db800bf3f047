"""Poll: `git ls-remote` on a schedule, for hosts that cannot call in; the same events, the same deduplication."""

from __future__ import annotations

from prefect import flow

from tasks.poll import Watched, look


@flow(name="poll", flow_run_name="poll {repositories}")
def poll(repositories: list[Watched]) -> int:
    """Look at each repository; what moved becomes events. How many these are.

    Args:
        repositories: Where to look.
    """
    looks = [look.submit(watched) for watched in repositories]
    return sum(found.result() for found in looks)
