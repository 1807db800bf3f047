"""Pull request: built, smoked, measured and judged as a release would be; tagged `pr-<number>`, never deployed."""

from __future__ import annotations

from prefect import flow

from slipway.plan import BuildPlan
from tasks.dependencies import fetch_tools, fetch_wheels, prepare_model, resolve_base
from tasks.gates import judge_gates
from tasks.hooks import reap
from tasks.host import ensure_free_space, tidy
from tasks.hosts import tell_host
from tasks.image import build_image
from tasks.pull_request import admit_request, check_out_request, model_of_release, plan_request, tag_request
from tasks.turns import my_turn, set_aside
from tasks.verify import benchmark, show_benchmark, smoke_test


@flow(
    name="pull-request",
    flow_run_name="pull request {number}",
    on_running=[tell_host],
    on_completion=[tell_host],
    on_failure=[tell_host],
    on_crashed=[reap, tell_host],
    on_cancellation=[reap, tell_host],
)
def pull_request(
    repository: str,
    ref: str,
    number: int,
    target: str = "",
    from_fork: bool = False,
    delivery: str = "",
) -> list[str]:
    """Prove a request fit to ship. The tags it got.

    Args:
        repository: The target repository.
        ref: Where its host keeps the request's head: refs/pull/7/head.
        number: The request's number.
        target: The branch it wants into; empty: build everything.
        from_fork: Code of strangers: no secrets, no training on this host.
        delivery: The event that asked for this run; empty: a person did.
    """
    with tidy():
        unwanted = admit_request(repository, number, delivery)
        if unwanted:
            set_aside(delivery, unwanted)
            return []
        with my_turn():
            checkout = check_out_request(repository, ref, number)
            plan = plan_request(repository, checkout, target, from_fork)
            tags = [tag for build in plan.builds for tag in prove(build)]
            set_aside(delivery, f"tested as {', '.join(tags)}" if tags else plan.reason)
            return tags


def prove(build: BuildPlan) -> tuple[str, ...]:
    """One service of the request."""
    ensure_free_space(build)
    base, wheels, tools = resolve_base.submit(build), fetch_wheels.submit(build), fetch_tools.submit(build)
    made = prepare_model.submit(build, model_of_release(build))
    image = build_image(build, base.result(), wheels.result(), tools.result(), made.result())
    smoke = smoke_test(image)
    report = benchmark(image)
    show_benchmark(image, report)
    verdicts = judge_gates(image, smoke, report)
    return tag_request(image, verdicts)
