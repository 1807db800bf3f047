"""The image in a real container: does it work, and how fast is it?"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact
from pydantic import TypeAdapter

from slipway.host import names
from slipway.image.inputs import Image
from slipway.verify.container import Trial, run_benchmark, run_smoke
from slipway.verify.report import BenchmarkReport, compare_reports
from slipway.verify.smoke import SmokeReport
from tasks.evidence import picture
from tasks.outside import container_labels, container_name, lease, listener, registry_credentials, say, workshop
from tasks.policies import BENCHMARK, EVIDENCE, SMOKE

_SMOKE = TypeAdapter(SmokeReport)


@task(task_run_name="smoke {image.subject}", **SMOKE.options)
def smoke_test(image: Image) -> SmokeReport:
    """The service's own smoke command on this very digest; evidence from before on this kind of machine counts."""
    work, service = workshop(), image.inputs.plan.service
    known = work.releases.evidence(image.digest, "smoke", work.machine.kind)
    if known:
        say("this digest passed on this kind of machine before")
        return _SMOKE.validate_python(known)
    _bring_here(image)
    report = run_smoke(work.engine, _trial(image, "smoke"))
    for case in report.cases:
        say(f"{'passed' if case.passed else 'FAILED'}: {case.name} {case.score} {case.expected or ''} {case.why}")
    report.raise_for_failure(image.reference)
    found = _SMOKE.dump_python(report, mode="json")
    work.releases.remember_evidence(service.name, image.digest, "smoke", work.machine.kind, found, datetime.now(UTC))
    return report


@task(task_run_name="benchmark {image.subject}", **BENCHMARK.options)
def benchmark(image: Image) -> BenchmarkReport:
    """Time to ready, latencies, throughput and memory of this digest on this kind of machine."""
    work, service = workshop(), image.inputs.plan.service
    known = work.releases.evidence(image.digest, "benchmark", work.machine.kind)
    if known:
        say("this digest was measured on this kind of machine before")
        return BenchmarkReport.model_validate(known)
    _bring_here(image)
    report = run_benchmark(work.engine, _trial(image, "benchmark"), _network(image), listener())
    found = report.model_dump(mode="json")
    work.releases.remember_evidence(
        service.name, image.digest, "benchmark", work.machine.kind, found, datetime.now(UTC)
    )
    return report


@task(task_run_name="picture of {image.subject}", **EVIDENCE.options)
def show_benchmark(image: Image, report: BenchmarkReport) -> None:
    """The benchmark beside that of the release before, as a table and a plot, in the run's artifacts."""
    from slipway.verify.plot import plot_png  # a drawing library costs every run's start half a second

    before = previous_report(image)
    plot = picture(plot_png(report, before))
    create_markdown_artifact(
        f"{report.to_markdown(compare_reports(before, report))}\n{plot}",
        key=f"benchmark-{image.inputs.plan.service.name}",
        description=image.subject,
    )


def previous_report(image: Image) -> BenchmarkReport | None:
    """The benchmark of the newest other release that was measured on the same kind of machine."""
    work, name = workshop(), image.inputs.plan.service.name
    found = work.releases.previous_evidence(name, image.digest, "benchmark", work.machine.kind)
    return BenchmarkReport.model_validate(found) if found else None


def _bring_here(image: Image) -> None:
    lease(image.reference)
    workshop().engine.pull(image.reference, registry_credentials())


def _network(image: Image) -> str:
    """Where the container under test stands: a stranger's reaches nothing that serves, and no registry."""
    work, instance = workshop(), workshop().settings.instance
    if image.inputs.plan.trusted:
        return names.network(instance)
    apart = names.strangers_network(instance)
    work.engine.ensure_network(apart, names.labels(instance, "network"))
    return apart


def _trial(image: Image, role: str) -> Trial:
    service = image.inputs.plan.service
    return Trial(image.reference, container_name(role), container_labels(role), service, workshop().machine)
