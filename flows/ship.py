"""Ship: from a commit to serving traffic."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.futures import PrefectFuture, wait

from slipway.plan import BuildPlan
from slipway.summary import Shipped
from tasks.dependencies import fetch_tools, fetch_wheels, prepare_model, resolve_base
from tasks.evidence import announce, nothing_to_build, record
from tasks.gates import judge_gates
from tasks.hooks import reap
from tasks.host import ensure_free_space, tidy
from tasks.hosts import tell_host
from tasks.image import build_image
from tasks.notify import notify
from tasks.registry import push_release
from tasks.rollout import roll_out
from tasks.source import already_serving, check_out, plan_changes
from tasks.turns import admit, my_turn, set_aside
from tasks.verify import benchmark, show_benchmark, smoke_test


@flow(
    name="ship",
    flow_run_name="ship {ref} -> {environment}",
    on_running=[tell_host],
    on_completion=[tell_host, notify],
    on_failure=[tell_host, notify],
    on_crashed=[reap, tell_host, notify],
    on_cancellation=[reap, tell_host],
)
def ship(
    repository: str = ".",
    ref: str = "HEAD",
    environment: str = "local",
    service: str = "",
    flavour: str = "",
    model: str = "",
    before: str = "",
    event: str = "push",
    branch: str = "",
    delivery: str = "",
) -> list[Shipped]:
    """Take one revision from a commit to serving traffic.

    Args:
        repository: Any git URL, or a folder on the worker's machine.
        ref: Branch, tag or commit.
        environment: local, staging or production.
        service: One service; empty: every service the change concerns.
        flavour: cpu, torch, cuda...; empty: the service's default.
        model: An earlier model version; empty: what this revision trains.
        before: The revision before the push; empty: do not compare.
        event: push, schedule, workflow_dispatch: tag rules ask for it.
        branch: The branch that a revision was pushed to; a newer push supersedes.
        delivery: The event that asked for this run; empty: a person did.
    """
    with tidy():
        unwanted = admit(repository, ref, branch, environment, delivery)
        if unwanted:
            return set_aside(delivery, unwanted)
        with my_turn():
            checkout = check_out(repository, ref, branch)
            plan = plan_changes(repository, checkout, before, service, flavour, event)
            if plan.is_empty:
                return nothing_to_build(plan, delivery)
            return announce(delivery, [ship_one(build, environment, model) for build in plan.builds])


def ship_one(build: BuildPlan, environment: str, model: str) -> Shipped:
    """One service of the plan."""
    serving = already_serving(build, environment, model)
    if serving:
        return serving

    ensure_free_space(build)
    base, wheels, tools = resolve_base.submit(build), fetch_wheels.submit(build), fetch_tools.submit(build)
    made = prepare_model.submit(build, model)
    beside: list[PrefectFuture[Any]] = [base, wheels, tools, made]
    wait(beside)  # when one fails, none of the others may go on behind a run that has ended
    image = build_image(build, base.result(), wheels.result(), tools.result(), made.result())

    smoke = smoke_test(image)
    report = benchmark(image)
    shown = show_benchmark.submit(image, report)  # drawing takes a second that the release need not wait for
    verdicts = judge_gates(image, smoke, report)

    release = push_release(image, verdicts)
    deployed = roll_out(build.service, release, environment)
    wait([shown])  # to its end, whatever that is: a drawing that fails leaves no release unrecorded
    return record(image, release, deployed)
