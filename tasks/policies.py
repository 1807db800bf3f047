"""Every retry, delay and timeout of the project. How many runs go on at once: `prefect.yaml` and `tasks/turns.py`.

Only temporary errors are retried. `timeout_s` is what Prefect shows and enforces where it can; each adapter keeps its
own, shorter deadline, because a task timeout neither interrupts a submitted task nor ends its children.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from slipway.errors import TemporaryError


async def only_temporary(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001
    """Whether the same call may succeed later."""
    return isinstance(await state.aresult(raise_on_failure=False), TemporaryError)


@dataclass(frozen=True)
class Policy:
    """How one kind of work is scheduled.

    `timeout_s` 0 is for work that runs side by side: Prefect cannot interrupt it, the adapter's deadline does.
    """

    timeout_s: int
    retries: int = 0
    delays_s: tuple[int, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Arguments for `@task`. Nothing is cached by Prefect: the ledger and the content-addressed stores are.

        No tags: Prefect asks its server about limits for every tag of every task, which SQLite often answers with 503.
        """
        return {
            "timeout_seconds": self.timeout_s or None,
            "retries": self.retries,
            "retry_delay_seconds": list(self.delays_s) or None,
            "retry_jitter_factor": 0.5 if self.retries else None,
            "retry_condition_fn": only_temporary if self.retries else None,
            "cache_policy": NO_CACHE,
            "persist_result": False,
        }


# A remote that answers nothing for a minute is usually restarting; a clone of a large repository takes minutes.
GIT_READ = Policy(timeout_s=700, retries=4, delays_s=(2, 10, 30, 60))
# Decisions in memory and small ledger rows.
DECISION = Policy(timeout_s=120)
# Pruning walks large folders.
HOST_CLEANUP = Policy(timeout_s=900)
# Indexes have bad quarters of an hour, and torch is large.
INDEX_DOWNLOAD = Policy(timeout_s=0, retries=5, delays_s=(5, 20, 60, 180, 300))
# Training has the budget of service.yaml; a failure repeats itself.
MODEL_TRAINING = Policy(timeout_s=0)
# A bootstrap or a pull: the mirrors behind it are as good as an index.
BASE_IMAGE = Policy(timeout_s=0, retries=3, delays_s=(5, 30, 120))
# Ninety percent of builds take seconds; CUDA wheels take many minutes. Only a silent registry is worth a second try.
IMAGE_BUILD = Policy(timeout_s=2000, retries=3, delays_s=(5, 20, 60))
BUILD_DEADLINE_S = 1800.0
# The container has service.yaml's deadline; the rest is the pull.
SMOKE = Policy(timeout_s=900, retries=2, delays_s=(5, 20))
# Rounds of some seconds each; the pull before may be a large one.
BENCHMARK = Policy(timeout_s=900, retries=2, delays_s=(5, 20))
# A registry's restart takes a minute, its maintenance ten.
REGISTRY_WRITE = Policy(timeout_s=700, retries=6, delays_s=(2, 5, 15, 30, 60, 120))
# The adapter holds a lock per environment and service. A router restarts within seconds.
TRAFFIC_SHIFT = Policy(timeout_s=1200, retries=2, delays_s=(3, 10))
# The machine has one run at a time; a queue that takes a day has another trouble than its order.
TURN_PATIENCE_S = 24 * 3600.0
# Registry garbage can wait for the next night: any run goes before it.
GARBAGE_PATIENCE_S = 1.0
# Without a heartbeat: twenty of them, and five times what the automations wait for.
DEAD_AFTER = timedelta(minutes=10)
# Rows and artifacts about work that is done.
EVIDENCE = Policy(timeout_s=120, retries=3, delays_s=(1, 5, 15))
# A status beside a commit: seen by people, so worth three tries, and never worth holding a run up.
HOST_STATUS = Policy(timeout_s=60, retries=2, delays_s=(1, 5))
