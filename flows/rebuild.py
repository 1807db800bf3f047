"""Rebuild: what is live, on a fresh base with fresh dependencies; shipped only when that makes a difference."""

from __future__ import annotations

from prefect import flow

from slipway.ledger.releases import Release
from slipway.summary import Shipped
from tasks.dependencies import fetch_tools, prepare_model
from tasks.evidence import record
from tasks.gates import judge_gates
from tasks.hooks import reap
from tasks.host import ensure_free_space, tidy
from tasks.image import build_image
from tasks.notify import notify
from tasks.rebuild import fresh_base, fresh_wheels, nothing_moved, plan_again, report_moves, what_serves
from tasks.registry import push_release
from tasks.rollout import roll_out
from tasks.turns import my_turn
from tasks.verify import benchmark, show_benchmark, smoke_test


@flow(
    name="rebuild",
    flow_run_name="rebuild {environment}",
    on_completion=[notify],
    on_failure=[notify],
    on_crashed=[reap, notify],
    on_cancellation=[reap],
)
def rebuild(
    environment: str = "local",
    service: str = "",
) -> list[Shipped]:
    """Security updates reach what serves without a commit: same revision, same model, fresh packages.

    Args:
        environment: Whose live releases.
        service: One service; empty: each that serves there.
    """
    with tidy(), my_turn():
        rebuilt = [rebuild_one(live, environment) for live in what_serves(environment, service)]
        return [shipped for shipped in rebuilt if shipped]


def rebuild_one(live: Release, environment: str) -> Shipped | None:
    """One service; None when nothing moved."""
    build = plan_again(live)
    ensure_free_space(build)
    base, wheels, tools = fresh_base.submit(build), fresh_wheels.submit(build), fetch_tools.submit(build)
    made = prepare_model.submit(build, live.facts["model_key"])
    image = build_image(build, base.result(), wheels.result(), tools.result(), made.result())
    if image.digest == live.digest:
        return nothing_moved(live)

    smoke = smoke_test(image)
    report = benchmark(image)
    show_benchmark(image, report)
    verdicts = judge_gates(image, smoke, report)

    release = push_release(image, verdicts, movable_only=True)
    deployed = roll_out(build.service, release, environment)
    return report_moves(live, image, record(image, release, deployed))
