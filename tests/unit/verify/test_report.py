"""A benchmark as a value, a table and a picture."""

import struct

import numpy as np
import pytest

from slipway.verify.plot import plot_png
from slipway.verify.report import BenchmarkComparison, BenchmarkReport, compare_reports
from slipway.verify.samples import Samples, join_rounds
from slipway.verify.statistics import Change


def in_ten(size: int) -> tuple[int, ...]:
    return tuple(size // 10 + (index < size % 10) for index in range(10))


def run(clients: int = 1, size: int = 400, factor: float = 1.0, seed: int = 0, failures: int = 0) -> Samples:
    values = 0.01 * factor * np.exp(0.05 * np.random.default_rng(seed).normal(size=size))
    return Samples(
        concurrency=clients, latencies_s=tuple(values), round_sizes=in_ten(size), wall_s=4.0, failures=failures
    )


def report(*single: Samples, machine: str = "amd-epyc-2c-24g") -> BenchmarkReport:
    batched = Samples(concurrency=1, latencies_s=(0.1,) * 30, round_sizes=(30,), wall_s=3.0, pairs_per_request=64)
    return BenchmarkReport(
        machine=machine, time_to_ready_s=1.234, single=single, batched=batched, rss_mb=312.4, image_mb=287.0
    )


def test_the_table_holds_every_number_a_person_asks_for() -> None:
    text = report(run(1), run(4, seed=1)).to_markdown()
    for shown in ("amd-epyc-2c-24g", "1.23 s", "312 MB", "287 MB", "| 4 | 1 |", "| 1 | 64 |", "640.0", "100.0"):
        assert shown in text
    rows = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert rows == [3] * 6 + [9] * 5


def test_a_quantile_without_enough_samples_is_not_made_up() -> None:
    (row,) = [line for line in report(run(2)).to_markdown().splitlines() if line.startswith("| 2 |")]
    assert row.count("too few") == 1
    assert "| 10." in row or "| 9.9" in row


def test_a_measurement_in_which_every_request_failed_still_prints() -> None:
    dead = Samples(concurrency=1, latencies_s=(), round_sizes=(0,), wall_s=0.0, failures=100)
    text = report(dead).to_markdown()
    assert "| 1 | 1 | too few | too few | too few | 0.0 | 0 | 100 |" in text


def test_the_report_survives_its_json() -> None:
    one = report(run(1), run(4))
    assert BenchmarkReport.model_validate_json(one.model_dump_json()) == one


def test_too_few_rounds_are_said_and_survive_json() -> None:
    one = report(Samples(concurrency=1, latencies_s=(0.01,) * 300, round_sizes=(150, 150), wall_s=3.0))
    versus = compare_reports(one, one)
    assert "more rounds" in versus.why
    assert "| ? | ? to ? | inconclusive |" in one.to_markdown(versus)
    assert BenchmarkComparison.model_validate_json(versus.model_dump_json()) == versus


def test_a_slower_release_is_called_slower_with_its_interval() -> None:
    before, after = report(run(1), run(4, seed=1)), report(run(1, seed=2), run(4, factor=1.3, seed=3))
    versus = compare_reports(before, after)
    assert versus.change is Change.SLOWER
    assert "4 clients" in versus.why
    assert len(versus.parts) == 4
    assert "**slower**" in after.to_markdown(versus)
    assert f"| {versus.parts[2].ratio:.3f} |" in after.to_markdown(versus)


@pytest.mark.parametrize(("factor", "change"), [(1.0, Change.SAME), (0.7, Change.FASTER)])
def test_medians_decide_when_nothing_is_slower(factor: float, change: Change) -> None:
    assert compare_reports(report(run(seed=1)), report(run(seed=2, factor=factor))).change is change


def test_an_uncertain_p95_does_not_hide_certain_medians() -> None:
    values = np.random.default_rng(5).normal(size=(2, 400))
    heavy = [0.01 * np.exp(0.02 * row + 2.0 * np.maximum(row - 1.4, 0)) for row in values]
    one, two = (Samples(concurrency=1, latencies_s=tuple(row), round_sizes=in_ten(400), wall_s=4.0) for row in heavy)
    versus = compare_reports(report(one), report(two))
    assert {part.name.split(",")[0]: str(part.change) for part in versus.parts} == {
        "p50": "same",
        "p95": "inconclusive",
    }
    assert versus.change is Change.SAME


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (None, report(run()), "no earlier benchmark"),
        (report(run(), machine="arm-4c-8g"), report(run()), "another machine kind (arm-4c-8g)"),
        (report(run(failures=3)), report(run()), "before: 3"),
        (report(run(1)), report(run(8)), "too few samples"),
        (report(run(size=15)), report(run()), "too few samples"),
    ],
)
def test_what_cannot_be_compared_is_inconclusive_and_says_why(
    before: BenchmarkReport | None, after: BenchmarkReport, why: str
) -> None:
    versus = compare_reports(before, after)
    assert versus.change is Change.INCONCLUSIVE
    assert why in versus.why
    assert why in after.to_markdown(versus)


@pytest.mark.parametrize("before", [None, report(run(1), run(4))])
@pytest.mark.parametrize("after", [report(run(1), run(4, size=1500)), report(run(1, size=3)), report()])
def test_the_picture_is_a_png_of_the_expected_size(before: BenchmarkReport | None, after: BenchmarkReport) -> None:
    png = plot_png(after, before)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1100, 440)


def test_the_picture_changes_with_the_numbers() -> None:
    assert plot_png(report(run(1))) != plot_png(report(run(1, factor=2)))


def test_rounds_are_joined_and_taken_apart_again() -> None:
    parts = [run(4, size=size, seed=size, failures=size) for size in (30, 10)]
    whole = join_rounds(parts)
    assert whole.rounds == parts[0].rounds + parts[1].rounds
    assert (whole.concurrency, whole.failures, whole.wall_s) == (4, 40, 8.0)


def test_a_round_without_an_answer_is_left_out() -> None:
    dead = Samples(concurrency=1, latencies_s=(), round_sizes=(0,), wall_s=0.1, failures=5, errors=("refused",))
    whole = join_rounds([dead, run(1, size=10), dead])
    assert len(whole.rounds) == 10
    assert whole.errors == ("refused",)
