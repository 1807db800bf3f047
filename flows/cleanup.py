"""Clean up: what dead runs left, slots past their delay, space above the low-water mark."""

from __future__ import annotations

from prefect import flow

from tasks.host import free_space, give_back_registry, report_cleanup, sweep
from tasks.runs import end_dead_runs


@flow(name="cleanup", flow_run_name="clean up")
def cleanup(registry: bool = False) -> None:
    """Keep the host fit for the next build; live, standing-by and leased things stay.

    Args:
        registry: Give the local registry's disk back, too: what no tag, release or run names.
    """
    end_dead_runs()
    swept = sweep()
    freed = free_space()
    report_cleanup(swept, freed, give_back_registry() if registry else "")
