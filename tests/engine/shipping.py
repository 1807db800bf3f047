"""Ship in a process of its own with this environment, as a worker does: python -m tests.engine.shipping '<parameters>'.

With "impatient" instead of the usual policies every retry comes at once and only once. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from prefect import Task

import flows.ship
from slipway.errors import SlipwayError


def impatient() -> None:
    """One quick retry for whatever has retries; all else as it is."""
    for name, found in list(vars(flows.ship).items()):
        if isinstance(found, Task) and found.retries:
            setattr(flows.ship, name, found.with_options(retries=1, retry_delay_seconds=0.2))


def ended(**parameters: Any) -> dict[str, Any]:
    """How the run ended: its id, and of a failure the class and the words."""
    state = flows.ship.ship(**parameters, return_state=True)
    failed = state.result(raise_on_failure=False)
    run = str(state.state_details.flow_run_id)
    if isinstance(failed, SlipwayError):
        return {"run": run, "kind": type(failed).__name__, "error": str(failed)}
    return {"run": run, "kind": "" if state.is_completed() else repr(failed), "error": ""}


if __name__ == "__main__":
    if "impatient" in sys.argv:
        impatient()
    print("ended", json.dumps(ended(**json.loads(sys.argv[1]))))
