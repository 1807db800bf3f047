"""Gates: all judged, all reported, then the run stops if a blocking one failed."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact

from slipway.gates import Verdict, judge, raise_for_failures, to_markdown
from slipway.image.inputs import Image
from slipway.verify.report import BenchmarkReport, compare_reports
from slipway.verify.smoke import SmokeReport
from tasks.outside import say, workshop
from tasks.policies import DECISION
from tasks.verify import previous_report


@task(task_run_name="gates {image.subject}", **DECISION.options)
def judge_gates(image: Image, smoke: SmokeReport, report: BenchmarkReport) -> tuple[Verdict, ...]:
    """Every gate's verdict, in the run's artifacts; raises `GateFailed` after all were reported."""
    plan, comparison = image.inputs.plan, compare_reports(previous_report(image), report)
    service = plan.service
    model_mb = sum(file.stat().st_size for file in image.inputs.model.path.rglob("*") if file.is_file()) / 1e6
    verdicts = judge(
        service.gates, plan.choice, service.benchmark.allowed_regression, smoke, report, comparison, model_mb
    )
    create_markdown_artifact(to_markdown(verdicts), key=f"gates-{service.name}", description=image.subject)
    for verdict in verdicts:
        say(f"{verdict.outcome}: {verdict.gate}: {verdict.why}")
    found = {"verdicts": [vars(verdict) for verdict in verdicts]}
    work = workshop()
    work.releases.remember_evidence(service.name, image.digest, "gates", work.machine.kind, found, datetime.now(UTC))
    raise_for_failures(verdicts, image.reference)
    return verdicts
