"""Pull and merge requests: the same proofs as for a release, and no way to anything that serves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from prefect import task

from slipway.errors import UserError
from slipway.gates import Verdict
from slipway.image.inputs import Image
from slipway.ledger.claims import claim
from slipway.plan import BuildPlan, Plan, plan_builds
from slipway.registry.publish import give_tags
from slipway.service.loading import find_services
from slipway.source.checkout import Checkout, require_whole
from tasks.outside import registry_credentials, run_id, say, work_folder, workshop
from tasks.policies import DECISION, GIT_READ, REGISTRY_WRITE
from tasks.turns import supersede_older

_TAG_RULE = "type=ref,event=pr"


@task(task_run_name="is pull request {number} still wanted?", **DECISION.options)
def admit_request(repository: str, number: int, delivery: str) -> str:
    """Why this run ends here; "" when it goes on, and older builds of the same request are cancelled."""
    work, run, now = workshop(), run_id(), datetime.now(UTC)
    if delivery:
        with work.ledger.begin() as connection:
            if not claim(connection, delivery, "pull-request", run, now=now):
                return "another run has this event"
    work.harbour.ensure_registry()
    work.turns.enter(run, f"{repository}\n#{number}", now)
    supersede_older(f"pull request {number}")
    return ""


@task(task_run_name="check out pull request {number}", **GIT_READ.options)
def check_out_request(repository: str, ref: str, number: int) -> Checkout:
    """The head of a request, seen by tag rules and labels as that request."""
    checkout = workshop().source.check_out(repository, ref, work_folder(), shipped=())
    return replace(checkout, ref=f"refs/pull/{number}/merge", branch="", tag="")


@task(task_run_name="plan {checkout.ref}", **DECISION.options)
def plan_request(repository: str, checkout: Checkout, target: str, from_fork: bool) -> Plan:
    """What the request would ship, by its difference from the target branch. Its only tag is `pr-<number>`."""
    source = workshop().source
    base = source.remote_heads(repository).get(target, "") if target else ""
    changed = source.changed_paths(repository, base, checkout.revision) if base else None
    plan = plan_builds(find_services(checkout.path), checkout, changed, event="pull_request")
    for build in plan.builds:
        require_whole(checkout, build.service.paths)
    say(plan.reason)
    return replace(plan, builds=tuple(_as_request(build, trusted=not from_fork) for build in plan.builds))


@task(task_run_name="model for {build.subject}", **DECISION.options)
def model_of_release(build: BuildPlan) -> str:
    """The model for this build: "" trains the request's own, which a stranger's code may not do on this host."""
    if build.trusted or build.service.model is None:
        return ""
    released = [one for one in workshop().releases.newest(200) if one.service == build.service.name]
    if not released:
        raise UserError(
            f"there is no released model of {build.service.name} to test a fork's code with",
            next_step="ship the target branch once; code from forks trains nothing here",
        )
    return str(released[0].facts["model_key"])


@task(task_run_name="tag {image.subject}", **REGISTRY_WRITE.options)
def tag_request(image: Image, verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """`pr-<number>` names the tested digest; nothing else does, and the ledger has no release of it."""
    work, service = workshop(), image.inputs.plan.service
    passed = sum(verdict.outcome == "passed" for verdict in verdicts)
    with work.registry(registry_credentials()) as client:
        names = image.inputs.metadata().tags
        tags = give_tags(client, work.repository(service.image), image.digest, names, service.protected_tags)
    say(f"{image.reference} passed {passed} gates and is {', '.join(tags)}")
    return tuple(tags)


def _as_request(build: BuildPlan, *, trusted: bool) -> BuildPlan:
    return replace(build, service=build.service.model_copy(update={"tags": (_TAG_RULE,)}), trusted=trusted)
