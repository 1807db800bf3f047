"""Gates: measurements in, verdicts out. All are judged and all are reported before a run stops. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from slipway.errors import GateFailed
from slipway.markdown import table
from slipway.service.model import BenchmarkGate, Flavour, Gates
from slipway.verify.report import BenchmarkComparison, BenchmarkReport
from slipway.verify.smoke import SmokeReport
from slipway.verify.statistics import Change, quantile


class Outcome(StrEnum):
    """What a gate said."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """One gate's answer and its reason in words; only a blocking one stops the run."""

    gate: str
    outcome: Outcome
    why: str
    blocking: bool = True


def judge(
    gates: Gates,
    flavour: Flavour,
    allowed_regression: float,
    smoke: SmokeReport,
    report: BenchmarkReport,
    comparison: BenchmarkComparison,
    model_mb: float,
) -> tuple[Verdict, ...]:
    """Every gate's verdict, in the order people read them. `allowed_regression` 0.1 means 10 % slower is accepted."""
    return (
        _smoke(gates, smoke),
        _size(gates, flavour, report.image_mb - model_mb),
        *_budgets(gates.benchmark, report),
        _failures(report),
        _regression(comparison, allowed_regression),
    )


def raise_for_failures(verdicts: Sequence[Verdict], subject: str) -> None:
    """Raise `GateFailed` naming every blocking gate that failed."""
    failed = [verdict for verdict in verdicts if verdict.outcome is Outcome.FAILED and verdict.blocking]
    if failed:
        reasons = "; ".join(f"{verdict.gate}: {verdict.why}" for verdict in failed)
        raise GateFailed(
            f"{len(failed)} of {len(verdicts)} gates failed: {reasons}",
            subject=subject,
            next_step="mend what they name, or change their thresholds in service.yaml; nothing was released",
        )


def to_markdown(verdicts: Iterable[Verdict]) -> str:
    """A table for people."""
    marks = {Outcome.PASSED: "✅", Outcome.FAILED: "❌", Outcome.SKIPPED: "➖", Outcome.INCONCLUSIVE: "❔"}
    return table(
        ("verdict", "gate", "why"),
        ((f"{marks[verdict.outcome]} {verdict.outcome}", verdict.gate, verdict.why) for verdict in verdicts),
    )


def _smoke(gates: Gates, smoke: SmokeReport) -> Verdict:
    passed = sum(case.passed for case in smoke.cases)
    share = passed / len(smoke.cases) if smoke.cases else 0.0
    degraded = f", degraded: ran on {smoke.device} without a GPU" if smoke.degraded else f" on {smoke.device}"
    outcome = Outcome.PASSED if share >= gates.smoke.min_success else Outcome.FAILED
    return Verdict("smoke", outcome, f"{passed} of {len(smoke.cases)} cases within their bands{degraded}")


def _size(gates: Gates, flavour: Flavour, unpacked_mb: float) -> Verdict:
    outcome = Outcome.PASSED if unpacked_mb <= flavour.size_budget_mb else Outcome.FAILED
    why = f"{unpacked_mb:.0f} MB unpacked without the model, budget {flavour.size_budget_mb} MB"
    return Verdict("size", outcome, why, blocking=gates.size.blocking)


def _budgets(gate: BenchmarkGate, report: BenchmarkReport) -> tuple[Verdict, ...]:
    p95 = [quantile(one.latencies_s, 0.95) * 1000 for one in report.single if one.latencies_s]
    found = (
        _budget("p95 latency", max(p95, default=math.inf), gate.max_p95_ms, "ms"),
        _budget("memory", report.rss_mb, gate.max_memory_mb, "MB"),
        _budget("time to ready", report.time_to_ready_s, gate.max_ready_s, "s"),
    )
    return tuple(verdict for verdict in found if verdict)


def _budget(name: str, value: float, limit: float | None, unit: str) -> Verdict | None:
    if limit is None:
        return None
    outcome = Outcome.PASSED if value <= limit else Outcome.FAILED
    shown = f"{value:.1f} {unit}" if math.isfinite(value) else "no request was answered"
    return Verdict(name, outcome, f"{shown}, budget {limit:g} {unit}")


def _failures(report: BenchmarkReport) -> Verdict:
    outcome = Outcome.FAILED if report.failures else Outcome.PASSED
    return Verdict("requests", outcome, f"{report.failures} requests failed under load")


def _regression(comparison: BenchmarkComparison, allowed: float) -> Verdict:
    if not comparison.parts:
        return Verdict("speed", Outcome.SKIPPED, comparison.why)
    if comparison.change is Change.INCONCLUSIVE:
        return Verdict("speed", Outcome.INCONCLUSIVE, comparison.why)
    too_slow = [part for part in comparison.parts if part.change is Change.SLOWER and (part.low or 0) > 1 + allowed]
    outcome = Outcome.FAILED if too_slow else Outcome.PASSED
    return Verdict("speed", outcome, f"{comparison.change} ({comparison.why}); up to {allowed:.0%} slower is accepted")
