"""Models: made by the service's own command, reported, and shipped by their version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from slipway.model import Model
from slipway.plan import BuildPlan
from tasks.outside import listener, say, workshop
from tasks.policies import EVIDENCE, MODEL_TRAINING

REPORT = "report.md"


@task(task_run_name="train {build.service.name}", **MODEL_TRAINING.options)
def train_model(build: BuildPlan, labelled: str) -> Model:
    """A new version, dated now, from the checkout's training code and a file of labelled examples, if one is given."""
    folder = build.checkout.path / build.service.folder
    examples = Path(labelled) if labelled else None
    model = workshop().models.prepare(build.service, folder, datetime.now(UTC), listener(), examples)
    say(f"model {model.version}")
    return model


@task(task_run_name="report {model.version}", **EVIDENCE.options)
def report_model(build: BuildPlan, model: Model) -> None:
    """The evaluation that the training left in the model's folder, for people."""
    report = model.path / REPORT
    text = report.read_text() if report.exists() else f"The training of {model.version} left no {REPORT}."
    create_markdown_artifact(text, key=f"model-{build.service.name}", description=model.version)


@task(task_run_name="ship {model.version} -> {environment}", **EVIDENCE.options)
def ship_model(build: BuildPlan, model: Model, environment: str) -> None:
    """Start a run that ships this revision with this model; it goes its own way from here."""
    checkout = build.checkout
    parameters = {
        "repository": checkout.repository,
        "ref": checkout.revision,
        "environment": environment,
        "service": build.service.name,
        "model": model.version,
    }
    started = run_deployment("ship/ship", parameters=parameters, timeout=0, as_subflow=False)
    assert isinstance(started, FlowRun)
    say(f"shipping {model.version}: run {started.id}")
