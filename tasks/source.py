"""Revisions: checked out exactly, and what their change concerns."""

from __future__ import annotations

from dataclasses import replace

from prefect import task

from slipway.plan import BuildPlan, Plan, plan_builds
from slipway.service.loading import find_services
from slipway.source.address import refuse_credentials
from slipway.source.checkout import Checkout, require_whole
from slipway.summary import Shipped
from tasks.outside import say, work_folder, workshop
from tasks.policies import DECISION, GIT_READ


@task(task_run_name="check out {ref}", **GIT_READ.options)
def check_out(repository: str, ref: str, branch: str = "") -> Checkout:
    """One exact revision in this run's own folder; `branch` says which one a bare revision was pushed to."""
    refuse_credentials(repository)
    checkout = workshop().source.check_out(repository, ref, work_folder(), shipped=())
    checkout = replace(checkout, branch=checkout.branch or branch)
    say(f"{checkout.describe}: {checkout.subject} ({checkout.author_name}, {checkout.committed_at:%Y-%m-%d %H:%M} UTC)")
    if checkout.dirty:
        say(f"not shipped, because not committed: {', '.join(checkout.dirty[:20])}")
    return checkout


@task(task_run_name="plan {checkout.describe}", **DECISION.options)
def plan_changes(repository: str, checkout: Checkout, before: str, service: str, flavour: str, event: str) -> Plan:
    """Which services this revision concerns; all of them when there is no earlier revision to compare with."""
    changed = workshop().source.changed_paths(repository, before, checkout.revision) if before else None
    services = find_services(checkout.path)
    plan = plan_builds(services, checkout, changed, only=service, flavour=flavour, event=event)
    for build in plan.builds:
        require_whole(checkout, build.service.paths)
    say(plan.reason)
    return plan


@task(task_run_name="plan {service}", **DECISION.options)
def plan_service(checkout: Checkout, service: str) -> BuildPlan:
    """One named service of a revision, whatever changed."""
    (build,) = plan_builds(find_services(checkout.path), checkout, None, only=service).builds
    require_whole(checkout, build.service.paths)
    return build


@task(task_run_name="is {build.subject} live already?", **DECISION.options)
def already_serving(build: BuildPlan, environment: str, model: str) -> Shipped | None:
    """What serves this very revision, flavour and model in the environment now, if anything does."""
    work = workshop()
    deployer = work.deployer(environment)
    for release in work.releases.of_revision(build.service.name, build.checkout.revision):
        same = (release.facts["flavour"], release.facts["model_chosen"]) == (build.flavour, model)
        if same and deployer.serves(build.service, release.digest):
            say(f"{release.digest.short} of this revision already serves at {deployer.url(build.service)}")
            return Shipped.of(release, deployer.standing(build.service))
    return None
