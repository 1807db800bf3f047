"""Traffic: the release comes into an environment, or the one before comes back."""

from __future__ import annotations

from contextlib import suppress

from prefect import task

from slipway.errors import DeadlineExceeded
from slipway.ledger.releases import Release
from slipway.rollout.blue_green import rollback_target
from slipway.rollout.deploy import Deployed
from slipway.rollout.places import Candidate
from slipway.service.model import Service
from tasks.outside import lease, registry_credentials, run_id, say, workshop
from tasks.policies import TRAFFIC_SHIFT


@task(task_run_name="{release.service} {release.digest.short} -> {environment}", **TRAFFIC_SHIFT.options)
def roll_out(service: Service, release: Release, environment: str) -> Deployed:
    """Blue/green: ready, checked through the preview address, then all the traffic; a failure changes nothing."""
    work, image = workshop(), str(release.facts["image"])
    work.turns.begin_rollout(run_id())
    lease(image)
    work.engine.pull(image, registry_credentials())
    deployed = work.deployer(environment).roll_out(
        Candidate(service, release.digest, image, release.identity, flow_run=run_id())
    )
    say(f"{deployed.url} is served by {release.digest.short} in the {deployed.slot} slot ({deployed.seconds:.1f} s)")
    return deployed


@task(task_run_name="{service}: back to the release before in {environment}", **TRAFFIC_SHIFT.options)
def roll_back(service: str, environment: str) -> Deployed:
    """All the traffic back to the release that stands by."""
    work = workshop()
    slots = work.slots.read(environment, service)
    release = work.releases.get(service, slots[rollback_target(slots)].digest)
    deployed = work.deployer(environment).roll_back(release.described)
    say(f"{deployed.url} is served by {deployed.digest.short} again ({deployed.seconds:.1f} s)")
    return deployed


def put_rollouts_right() -> tuple[str, ...]:
    """Undo the rollouts that died half-way; what was put right. One under way holds its lock, and goes on."""
    work, done = workshop(), []
    for environment, service in sorted(work.slots.unfinished()):
        with suppress(DeadlineExceeded):
            work.recovery(environment).put_right(service)
            done.append(f"{service} in {environment}")
    return tuple(done)
