"""Every task is scheduled by a policy, and every policy keeps what the project promises of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE

from slipway.host.registry_garbage import COLLECT_DEADLINE_S
from tasks import policies
from tasks.policies import BUILD_DEADLINE_S, HOST_CLEANUP, IMAGE_BUILD, Policy, only_temporary
from tests.flows.conftest import all_tasks

ALL = {name: found for name, found in vars(policies).items() if isinstance(found, Policy)}


@pytest.mark.parametrize("name", sorted(all_tasks()))
def test_every_task_is_scheduled_by_a_policy(name: str) -> None:
    task = all_tasks()[name]
    assert _scheduling(task) in [_scheduling(Task(only_temporary, **policy.options)) for policy in ALL.values()]
    assert task.cache_policy == NO_CACHE
    assert task.persist_result is False
    assert not task.tags


def _scheduling(task: Task[Any, Any]) -> tuple[Any, ...]:
    """What Prefect makes of a policy."""
    return task.retries, task.retry_delay_seconds, task.timeout_seconds, task.retry_condition_fn


@pytest.mark.parametrize("policy", ALL.values(), ids=ALL)
def test_only_what_is_retried_asks_whether_it_may_be(policy: Policy) -> None:
    assert (policy.options["retry_condition_fn"] is only_temporary) == bool(policy.retries)


def test_adapters_give_up_before_their_tasks_are_timed_out() -> None:
    assert IMAGE_BUILD.timeout_s > BUILD_DEADLINE_S
    assert HOST_CLEANUP.timeout_s > COLLECT_DEADLINE_S


@pytest.mark.parametrize("policy", ALL.values(), ids=ALL)
def test_each_retry_waits_longer_than_the_one_before(policy: Policy) -> None:
    assert len(policy.delays_s) == policy.retries
    assert all(before < after for before, after in pairwise(policy.delays_s))
