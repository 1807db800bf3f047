"""What people see afterwards: artifacts in the Prefect UI and the summary of a run."""

from __future__ import annotations

import base64

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from slipway.image.inputs import Image
from slipway.ledger.releases import Release
from slipway.notices import outcome_in_words
from slipway.plan import Plan
from slipway.rollout.deploy import Deployed
from slipway.summary import Shipped, layers_table, summary
from tasks.outside import say, workshop
from tasks.policies import EVIDENCE
from tasks.turns import conclude, set_aside


@task(task_run_name="record {release.service} {release.digest.short}", **EVIDENCE.options)
def record(image: Image, release: Release, deployed: Deployed) -> Shipped:
    """One page that says what was shipped, and the link to where it serves."""
    work = workshop()
    shipped = Shipped.of(release, deployed)
    layers = work.engine.layers(image.reference)
    evidence = work.releases.all_evidence(release.digest)
    page = f"{summary(release, deployed, evidence)}\n{layers_table(layers, image.inputs.plan.choice.size_budget_mb)}"
    create_markdown_artifact(page, key=f"release-{release.service}", description=image.subject)
    create_link_artifact(deployed.url, link_text=f"{release.service} serves here", key=f"serving-{release.service}")
    say(f"shipped: {deployed.url} answers with {release.digest}")
    return shipped


@task(task_run_name="report {deployed.digest.short}", **EVIDENCE.options)
def report_rollback(service: str, environment: str, deployed: Deployed) -> str:
    """Says what serves again, and what it replaced."""
    replaced = f"`{deployed.replaced}` stands by" if deployed.replaced else "nothing stands by"
    text = f"{service} in {environment}: `{deployed.digest}` serves again at {deployed.url}; {replaced}."
    create_markdown_artifact(text, key=f"rollback-{service}", description=environment)
    return deployed.digest


@task(task_run_name="announce", **EVIDENCE.options)
def announce(delivery: str, shipped: list[Shipped]) -> list[Shipped]:
    """What became of the push that asked for this, where people look for it."""
    conclude(delivery, outcome_in_words([(one.service, one.digest, one.url) for one in shipped]))
    return shipped


@task(task_run_name="nothing to build", **EVIDENCE.options)
def nothing_to_build(plan: Plan, delivery: str = "") -> list[Shipped]:
    """Says why this run ends here."""
    create_markdown_artifact(plan.reason, key="plan", description="nothing to build")
    return set_aside.fn(delivery, plan.reason)


def picture(png: bytes) -> str:
    """A PNG as a part of a markdown artifact."""
    return f"![](data:image/png;base64,{base64.b64encode(png).decode()})"
