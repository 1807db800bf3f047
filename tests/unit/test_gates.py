from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import GateFailed
from slipway.gates import Outcome, Verdict, judge, raise_for_failures, to_markdown
from slipway.service.model import BenchmarkGate, Gates, SizeGate, SmokeGate
from slipway.verify.report import BenchmarkComparison, BenchmarkReport
from slipway.verify.samples import Samples
from slipway.verify.smoke import SmokeCase, SmokeReport
from slipway.verify.statistics import Change, Comparison
from tests.unit.values import TOY

FLAVOUR = TOY.build.flavours["cpu"]  # 200 MB
FIRST = BenchmarkComparison(change=Change.INCONCLUSIVE, why="there is no earlier benchmark to compare with")


def samples(milliseconds: float = 10, failures: int = 0) -> Samples:
    return Samples(
        concurrency=1, latencies_s=(milliseconds / 1000,) * 300, round_sizes=(300,), failures=failures, wall_s=3
    )


def measured(**changes: Any) -> BenchmarkReport:
    values = {"machine": "m", "time_to_ready_s": 2.0, "single": (samples(),), "rss_mb": 300.0, "image_mb": 190.0}
    return BenchmarkReport.model_validate(values | changes)


def smoke(passed: int = 3, failed: int = 0, *, degraded: bool = False) -> SmokeReport:
    cases = tuple(SmokeCase(str(index), index >= failed, 0.5, None) for index in range(passed + failed))
    return SmokeReport(passed=not failed, degraded=degraded, device="cpu", cases=cases)


def against(change: Change, low: float | None) -> BenchmarkComparison:
    part = Comparison("p50, 1 client", change, low, low, low, "because")
    return BenchmarkComparison(change=change, why="p50, 1 client: because", parts=(part,))


def verdicts(
    gates: Gates | None = None,
    ran: SmokeReport | None = None,
    report: BenchmarkReport | None = None,
    versus: BenchmarkComparison = FIRST,
    model_mb: float = 0,
) -> dict[str, Verdict]:
    found = judge(gates or Gates(), FLAVOUR, 0.1, ran or smoke(), report or measured(), versus, model_mb)
    return {verdict.gate: verdict for verdict in found}


def test_a_good_image_passes_every_gate_that_can_be_judged() -> None:
    found = verdicts()
    assert {gate: verdict.outcome for gate, verdict in found.items()} == {
        "smoke": Outcome.PASSED,
        "size": Outcome.PASSED,
        "requests": Outcome.PASSED,
        "speed": Outcome.SKIPPED,
    }
    raise_for_failures(list(found.values()), "sha256:1")


def test_a_skipped_gate_says_why() -> None:
    assert verdicts()["speed"].why == "there is no earlier benchmark to compare with"


@pytest.mark.parametrize(("needed", "outcome"), [(1.0, Outcome.FAILED), (0.75, Outcome.PASSED), (0.76, Outcome.FAILED)])
def test_the_share_of_smoke_cases_decides(needed: float, outcome: Outcome) -> None:
    found = verdicts(Gates(smoke=SmokeGate(min_success=needed)), smoke(passed=3, failed=1))["smoke"]
    assert found.outcome is outcome
    assert found.why.startswith("3 of 4 cases")


def test_no_smoke_case_is_no_success() -> None:
    assert verdicts(ran=smoke(passed=0))["smoke"].outcome is Outcome.FAILED


def test_a_degraded_smoke_run_passes_and_says_so() -> None:
    found = verdicts(ran=smoke(degraded=True))["smoke"]
    assert found.outcome is Outcome.PASSED
    assert "degraded: ran on cpu without a GPU" in found.why


def test_the_size_budget_is_for_the_image_without_its_model() -> None:
    assert verdicts(report=measured(image_mb=300.0), model_mb=100)["size"].outcome is Outcome.PASSED
    over = verdicts(report=measured(image_mb=300.0), model_mb=99)["size"]
    assert (over.outcome, over.why) == (Outcome.FAILED, "201 MB unpacked without the model, budget 200 MB")


def test_an_image_over_its_budget_may_be_only_reported() -> None:
    found = verdicts(Gates(size=SizeGate(blocking=False)), report=measured(image_mb=900.0))
    assert found["size"].outcome is Outcome.FAILED
    raise_for_failures(list(found.values()), "sha256:1")


@pytest.mark.parametrize(
    ("limits", "gate"),
    [({"max_p95_ms": 9.9}, "p95 latency"), ({"max_memory_mb": 299}, "memory"), ({"max_ready_s": 1.9}, "time to ready")],
)
def test_each_budget_fails_above_its_limit_and_holds_at_it(limits: dict[str, float], gate: str) -> None:
    assert verdicts(Gates(benchmark=BenchmarkGate.model_validate(limits)))[gate].outcome is Outcome.FAILED
    enough = {name: limit + 0.1 if limit < 100 else limit + 1 for name, limit in limits.items()}
    assert verdicts(Gates(benchmark=BenchmarkGate.model_validate(enough)))[gate].outcome is Outcome.PASSED


def test_the_worst_concurrency_counts_for_the_latency_budget() -> None:
    gates = Gates(benchmark=BenchmarkGate(max_p95_ms=15))
    slow = samples(20).model_copy(update={"concurrency": 16})
    assert verdicts(gates, report=measured(single=(samples(10), slow)))["p95 latency"].outcome is Outcome.FAILED


def test_a_latency_budget_is_not_met_by_answering_nothing() -> None:
    gates = Gates(benchmark=BenchmarkGate(max_p95_ms=15))
    dead = Samples(concurrency=1, latencies_s=(), round_sizes=(0,), failures=300, wall_s=3)
    found = verdicts(gates, report=measured(single=(dead,)))["p95 latency"]
    assert (found.outcome, found.why) == (Outcome.FAILED, "no request was answered, budget 15 ms")


def test_failed_requests_fail_the_run() -> None:
    found = verdicts(report=measured(single=(samples(failures=2),)))["requests"]
    assert (found.outcome, found.why) == (Outcome.FAILED, "2 requests failed under load")


@pytest.mark.parametrize(
    ("change", "low", "outcome"),
    [
        (Change.SLOWER, 1.11, Outcome.FAILED),
        (Change.SLOWER, 1.09, Outcome.PASSED),  # slower, surely, but perhaps within what is accepted
        (Change.FASTER, 0.8, Outcome.PASSED),
        (Change.SAME, 1.0, Outcome.PASSED),
        (Change.INCONCLUSIVE, 0.9, Outcome.INCONCLUSIVE),
        (Change.INCONCLUSIVE, None, Outcome.INCONCLUSIVE),
    ],
)
def test_only_a_certain_slowdown_beyond_the_accepted_one_fails(
    change: Change, low: float | None, outcome: Outcome
) -> None:
    assert verdicts(versus=against(change, low))["speed"].outcome is outcome


def test_every_failed_gate_is_named_with_its_reason_at_once() -> None:
    found = verdicts(ran=smoke(2, 1), report=measured(image_mb=900.0))
    with pytest.raises(GateFailed) as failed:
        raise_for_failures(list(found.values()), "toy@sha256:1")
    assert failed.value.what == (
        "2 of 4 gates failed: smoke: 2 of 3 cases within their bands on cpu; "
        "size: 900 MB unpacked without the model, budget 200 MB"
    )
    assert failed.value.subject == "toy@sha256:1"


def test_an_inconclusive_gate_does_not_stop_a_release() -> None:
    raise_for_failures([Verdict("speed", Outcome.INCONCLUSIVE, "noise")], "sha256:1")


def test_the_table_shows_every_verdict_and_keeps_its_columns() -> None:
    lines = to_markdown(
        [Verdict("smoke", Outcome.PASSED, "a | b"), Verdict("size", Outcome.FAILED, "big")]
    ).splitlines()
    assert lines[2] == "| ✅ passed | smoke | a \\| b |"
    assert lines[3] == "| ❌ failed | size | big |"
