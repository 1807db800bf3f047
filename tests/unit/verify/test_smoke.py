"""What the smoke command printed -> the verdict."""

import json
from typing import Any

import pytest

from slipway.errors import GpuRequired, SmokeFailed
from slipway.verify.facts import Gpu, Machine
from slipway.verify.outcome import Outcome
from slipway.verify.smoke import Band, GpuPolicy, SmokeReport, judge_smoke

CPU_HOST = Machine("AMD EPYC", 2, 8 * 2**30)
GPU_HOST = Machine("AMD EPYC", 2, 8 * 2**30, Gpu("NVIDIA H200", "570.86.15", "12.8", "9.0"))
SAME = {"name": "same place", "status": "success", "score": 0.91, "expected": {"min": 0.8, "max": 1.0}}
OTHER = {"name": "other city", "status": "success", "score": 0.21, "expected": {"max": 0.5}}


def printed(*results: Any, **more: Any) -> str:
    return json.dumps({"device": "cpu", "degraded": False, "model_version": "m1", "results": list(results), **more})


def judged(
    stdout: str, *, gpu: str = "optional", exit_code: int | None = 0, machine: Machine = CPU_HOST, **more: Any
) -> SmokeReport:
    bands = more.pop("bands", None)
    return judge_smoke(Outcome(exit_code, stdout, **more), machine, gpu=GpuPolicy(gpu), bands=bands)


def test_all_cases_in_their_bands_pass() -> None:
    report = judged(printed(SAME, OTHER))
    assert report.passed
    assert [case.passed for case in report.cases] == [True, True]
    assert report.model_version == "m1"
    report.raise_for_failure("sha256:x")


def test_a_score_outside_its_band_fails_and_is_named_with_both_numbers() -> None:
    report = judged(printed({**SAME, "score": 0.41}, OTHER))
    assert not report.passed
    assert "1 of 2" in report.reason
    assert "same place: score 0.41 is outside [0.8, 1.0]" in report.reason
    with pytest.raises(SmokeFailed) as raised:
        report.raise_for_failure("mgeo@sha256:abc")
    assert type(raised.value) is SmokeFailed
    assert raised.value.subject == "mgeo@sha256:abc"


@pytest.mark.parametrize("score", [0.8, 1.0])
def test_bounds_of_a_band_belong_to_it(score: float) -> None:
    assert judged(printed({**SAME, "score": score})).passed


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({**SAME, "status": "error", "error": "tokenizer missing"}, "tokenizer missing"),
        ({**SAME, "status": "failed"}, "failed"),
        ({**SAME, "score": None}, "no score"),
        ({"name": "same place", "status": "SUCCESS?"}, "SUCCESS?"),
    ],
)
def test_a_case_without_success_and_score_fails(result: dict[str, Any], why: str) -> None:
    report = judged(printed(result))
    assert not report.passed
    assert why in report.reason


def test_a_bare_success_without_score_is_enough_for_a_service_that_has_none() -> None:
    assert judged('{"results": [{"status": "success"}]}').passed


def test_no_case_at_all_fails() -> None:
    assert "no case" in judged(printed()).reason


def test_the_service_files_band_wins_over_the_images_own() -> None:
    assert not judged(printed(SAME), bands={"same place": Band(min=0.95)}).passed


def test_a_case_the_service_file_names_must_have_run() -> None:
    report = judged(printed(SAME), bands={"nonsense": Band(max=0.1)})
    assert not report.passed
    assert "nonsense: did not run" in report.reason


@pytest.mark.parametrize(
    ("gpu", "device", "passed", "degraded"),
    [
        ("optional", "cpu", True, True),
        ("optional", "cuda:0", True, False),
        ("required", "cpu", False, False),
        ("required", "cuda", True, False),
        ("never", "cpu", True, False),
        ("never", "cuda", False, False),
    ],
)
def test_gpu_policy(gpu: str, device: str, passed: bool, degraded: bool) -> None:
    report = judged(printed(SAME, device=device), gpu=gpu, machine=GPU_HOST)
    assert (report.passed, report.degraded) == (passed, degraded)


def test_required_gpu_without_one_raises_its_own_error() -> None:
    with pytest.raises(GpuRequired, match="no usable GPU"):
        judged(printed(SAME), gpu="required").raise_for_failure("sha256:x")


def test_required_gpu_that_fell_back_to_cpu_says_why() -> None:
    stderr = "Failed to load library x.so with error: libcudnn.so.9: cannot open shared object file: No such file"
    report = judged(printed(SAME), gpu="required", machine=GPU_HOST, stderr=stderr)
    assert "libcudnn.so.9" in report.reason


def test_failing_cases_are_not_blamed_on_the_gpu() -> None:
    report = judged(printed({**SAME, "score": 0.0}), gpu="required")
    with pytest.raises(SmokeFailed) as raised:
        report.raise_for_failure("sha256:x")
    assert type(raised.value) is SmokeFailed


def test_a_service_that_calls_itself_degraded_is_believed() -> None:
    assert judged(printed(SAME, degraded=True), gpu="never").degraded


def test_failing_cases_with_a_failing_exit_code_report_the_cases() -> None:
    report = judged(printed({**SAME, "score": 0.1}), exit_code=1)
    assert "same place" in report.reason


def test_passing_cases_with_a_failing_exit_code_fail() -> None:
    report = judged(printed(SAME), exit_code=2, stderr="ValueError: at exit")
    assert not report.passed
    assert "exited with 2" in report.reason
    assert "ValueError: at exit" in report.reason


@pytest.mark.parametrize(
    ("exit_code", "words"), [(139, "segmentation fault"), (137, "SIGKILL"), (None, "did not finish")]
)
def test_a_crash_fails_even_after_a_good_report(exit_code: int | None, words: str) -> None:
    report = judged(printed(SAME), exit_code=exit_code)
    assert not report.passed
    assert words in report.reason


def test_memory_kill_of_a_child_fails_even_with_exit_zero() -> None:
    report = judged(printed(SAME), oom_killed=True)
    assert not report.passed
    assert "memory limit" in report.reason


@pytest.mark.parametrize(
    ("stdout", "place"),
    [
        ("{}", "results"),
        ('{"results": {}}', "results"),
        ('{"results": [{}]}', "results.0.status"),
        ('{"results": [{"status": "success", "score": "0.9"}]}', "results.0.score"),
        ('{"results": [{"status": "success", "score": 1e999}]}', "results.0.score"),
        ('{"results": [{"status": "success", "expected": {"mim": 0.1}}]}', "mim"),
    ],
)
def test_json_of_another_shape_names_the_place(stdout: str, place: str) -> None:
    report = judged(stdout)
    assert not report.passed
    assert place in report.reason


def test_logs_on_stdout_are_named_with_the_remedy() -> None:
    report = judged("INFO loading\n" + printed(SAME))
    assert "INFO loading" in report.reason
    assert "stderr" in report.next_step
