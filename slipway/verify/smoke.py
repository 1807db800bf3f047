"""Judges what a service's `smoke` command printed. Pure.

The command prints one JSON object: `{"device", "degraded", "model_version", "gpu", "results": [{"name", "status",
"score", "expected": {"min", "max"}}]}`; only `results` with a `status` each is required.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, model_validator

from slipway.errors import GpuRequired, SmokeFailed
from slipway.verify.diagnosis import diagnose, read_json
from slipway.verify.facts import Machine
from slipway.verify.outcome import Diagnosis, Outcome
from slipway.verify.symptoms import explain_text

_SUCCESS = "success"


class GpuPolicy(StrEnum):
    """`optional`: CPU is accepted as degraded; `required`: CPU fails; `never`: a GPU fails."""

    OPTIONAL = "optional"
    REQUIRED = "required"
    NEVER = "never"


class Band(BaseModel):
    """Inclusive bounds of a score; a bound left out does not bind."""

    model_config = ConfigDict(frozen=True)
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None

    @model_validator(mode="before")
    @classmethod
    def _binds(cls, given: object) -> object:
        """Other keys are the service's own affair; a band with none of ours is a typing mistake."""
        if isinstance(given, dict) and given and not {"min", "max"} & given.keys():
            raise ValueError(f"a band has min or max, this one has {', '.join(map(str, given))}")
        return given

    def holds(self, score: float) -> bool:
        """Whether the score lies within."""
        return (self.min is None or score >= self.min) and (self.max is None or score <= self.max)

    def __str__(self) -> str:
        low, high = ("-inf" if self.min is None else self.min), ("inf" if self.max is None else self.max)
        return f"[{low}, {high}]"


class _Result(BaseModel):
    model_config = ConfigDict(strict=True)
    status: str
    name: str = ""
    score: FiniteFloat | None = None
    expected: Band | None = None
    error: str = ""


class _Output(BaseModel):
    model_config = ConfigDict(strict=True)
    results: list[_Result]
    device: str = "cpu"
    degraded: bool = False
    model_version: str = ""


@dataclass(frozen=True)
class SmokeCase:
    """One case; `why` is empty when it passed."""

    name: str
    passed: bool
    score: float | None
    expected: Band | None
    why: str = ""


@dataclass(frozen=True)
class SmokeReport:
    """The verdict; `reason` and `next_step` are empty when it passed, `degraded` means without the GPU it may use."""

    passed: bool
    degraded: bool
    device: str
    cases: tuple[SmokeCase, ...]
    reason: str = ""
    next_step: str = ""
    model_version: str = ""
    gpu_missing: bool = False

    def raise_for_failure(self, subject: str) -> None:
        """Raise `SmokeFailed` (or `GpuRequired`) with the reason unless it passed; `subject` is the digest."""
        if not self.passed:
            kind = GpuRequired if self.gpu_missing else SmokeFailed
            raise kind(self.reason, subject=subject, next_step=self.next_step)


def judge_smoke(
    outcome: Outcome, machine: Machine, *, gpu: GpuPolicy, bands: Mapping[str, Band] | None = None
) -> SmokeReport:
    """The verdict on a finished smoke container.

    `bands` are the service.yaml's own expectations by case name: they win over what the image expects of itself,
    and a case they name must have run.
    """
    said = read_json(outcome.stdout)
    stopped = outcome.exit_code is None or outcome.oom_killed or outcome.exit_code >= 126
    if stopped or (outcome.exit_code and isinstance(said, Diagnosis)):
        return _failed(diagnose(outcome, machine))
    if isinstance(said, Diagnosis):
        return _failed(said)
    try:
        output = _Output.model_validate(said)
    except ValidationError as wrong:
        return _misshapen(wrong)
    return _judge_output(output, outcome, machine, gpu, bands or {})


def _judge_output(
    output: _Output, outcome: Outcome, machine: Machine, gpu: GpuPolicy, bands: Mapping[str, Band]
) -> SmokeReport:
    cases = tuple(_judge_case(index, result, bands) for index, result in enumerate(output.results, start=1))
    cases += tuple(
        SmokeCase(name, False, None, bands[name], "did not run")
        for name in bands
        if name not in {c.name for c in cases}
    )
    on_gpu = output.device.lower().startswith(("cuda", "gpu"))
    reason, next_step = _cases_problem(cases, outcome)
    cases_hold = not reason
    if cases_hold:
        reason, next_step = _gpu_problem(gpu, on_gpu, output.device, outcome, machine)
    return SmokeReport(
        passed=not reason,
        degraded=output.degraded or (gpu is GpuPolicy.OPTIONAL and not on_gpu),
        device=output.device,
        cases=cases,
        reason=reason,
        next_step=next_step,
        model_version=output.model_version,
        gpu_missing=cases_hold and gpu is GpuPolicy.REQUIRED and not on_gpu,
    )


def _judge_case(index: int, result: _Result, bands: Mapping[str, Band]) -> SmokeCase:
    name = result.name or f"case {index}"
    band = bands.get(name, result.expected)
    if result.status != _SUCCESS:
        why = f"status {result.status!r}" + (f": {result.error}" if result.error else "")
    elif band and result.score is None:
        why = "gave no score"
    elif band and result.score is not None and not band.holds(result.score):
        why = f"score {result.score:.4g} is outside {band}"
    else:
        why = ""
    return SmokeCase(name, not why, result.score, band, why)


def _cases_problem(cases: tuple[SmokeCase, ...], outcome: Outcome) -> tuple[str, str]:
    failed = [case for case in cases if not case.passed]
    if not cases:
        return "the smoke command ran no case", "list cases in the service's smoke configuration"
    if failed:
        listed = "; ".join(f"{case.name}: {case.why}" for case in failed)
        return (
            f"{len(failed)} of {len(cases)} smoke cases failed: {listed}",
            "compare with the last release's scores: was the model or its preprocessing changed?",
        )
    if outcome.exit_code:
        return (
            f"every case passed, yet the smoke command exited with {outcome.exit_code}; "
            f"its last words: {outcome.last_words}",
            "let the command exit with 0 exactly when every case passed",
        )
    return "", ""


def _gpu_problem(gpu: GpuPolicy, on_gpu: bool, device: str, outcome: Outcome, machine: Machine) -> tuple[str, str]:
    if gpu is GpuPolicy.NEVER and on_gpu:
        return f"it ran on {device}, but service.yaml says `gpu: never`", "start it without a GPU request"
    if gpu is not GpuPolicy.REQUIRED or on_gpu:
        return "", ""
    told = explain_text(outcome, machine)
    if machine.gpu is None:
        return (
            "service.yaml says `gpu: required`, but this machine has no usable GPU",
            "run on a machine with an NVIDIA GPU and driver, or set `gpu: optional`",
        )
    return (
        f"service.yaml says `gpu: required`, but it ran on {device}" + (f": {told.what}" if told else ""),
        told.next_step if told else "use the image's cuda flavour; check `nvidia-smi` inside the container",
    )


def _failed(diagnosis: Diagnosis | None) -> SmokeReport:
    assert diagnosis is not None
    return SmokeReport(False, False, "", (), diagnosis.what, diagnosis.next_step)


def _misshapen(wrong: ValidationError) -> SmokeReport:
    problems = "; ".join(
        f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in wrong.errors()[:5]
    )
    return SmokeReport(
        False,
        False,
        "",
        (),
        f"the smoke command's JSON has another shape: {problems}",
        'print {"device": ..., "results": [{"name": ..., "status": "success", "score": ...}, ...]}',
    )
