"""`python3 -m mgeo.smoke`: does this very image load its model and judge the decisive cases rightly?

Prints one JSON object and exits 0 when every case succeeded, else 1. Needs no network and ends by itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mgeo import gpu
from mgeo.cases import Case, load_cases
from mgeo.judging import Judgement
from mgeo.logs import set_up
from mgeo.model import Model, load_model
from mgeo.problems import MgeoError
from mgeo.settings import load_settings
from mgeo.stdout import claim_stdout

_DEFAULT_CASES = "/app/cases.yaml"
_DEADLINE_S = 110.0  # shorter than the 120 s that the caller allows, so that the report still comes out


def main() -> int:
    print_json = claim_stdout()
    set_up("warning")
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    deadline = _give_up_after(float(os.environ.get("MGEO_SMOKE_DEADLINE_S") or _DEADLINE_S), print_json)
    report = run(os.environ)
    deadline.cancel()
    print_json(report)
    return 0 if all(result["status"] == "success" for result in report["results"]) else 1


def run(environment: Mapping[str, str]) -> dict[str, Any]:
    """The report; a failure to even start becomes its one result."""
    try:
        cases = load_cases(Path(environment.get("MGEO_CASES") or _DEFAULT_CASES))
        if not cases:
            raise MgeoError("there are no smoke cases: a model that was not asked anything has not passed")
        model = load_model(load_settings(None, environment))
    except MgeoError as error:
        return _report(None, [_start_failed(str(error))])
    return _report(model, [_check(model, case) for case in cases])


def _check(model: Model, case: Case) -> dict[str, Any]:
    result: dict[str, Any] = {"name": case.name, "expected": case.model_dump(include={"min", "max", "verdict"})}
    try:
        (judged,) = model.compare([(case.a, case.b)])
    except Exception as error:  # one broken pair must not hide the others
        return {**result, "status": "error", "score": None, "message": f"{type(error).__name__}: {error}"}
    result |= {"status": "success", "score": judged.score, "verdict": judged.verdict}
    wrong = _objections(case, judged)
    return {**result, "status": "failure", "message": "; ".join(wrong)} if wrong else result


def _objections(case: Case, judged: Judgement) -> list[str]:
    wrong = []
    if not case.min <= judged.score <= case.max:
        wrong.append(f"{case.a} / {case.b}: score {judged.score} is outside {case.min}..{case.max}")
    if case.verdict and judged.verdict != case.verdict:
        wrong.append(f"{case.a} / {case.b}: verdict is {judged.verdict}, expected {case.verdict}")
    return wrong


def _report(model: Model | None, results: list[dict[str, Any]]) -> dict[str, Any]:
    card = gpu.describe()
    return {
        "device": model.engine.device if model else "cpu",
        "degraded": bool(model and model.degraded),
        "degraded_reason": model.degraded if model else "",
        "engine": model.engine.name if model else "",
        "model_version": model.version if model else "",
        "results": results,
        "gpu": card.as_json() if card else None,
    }


def _start_failed(message: str) -> dict[str, Any]:
    return {"name": "start", "status": "error", "score": None, "expected": {"min": 0, "max": 1}, "message": message}


def _give_up_after(seconds: float, print_json: Callable[[object], None]) -> threading.Timer:
    """A native library that hangs cannot be interrupted from Python: report and leave the hard way."""

    def give_up() -> None:
        print_json(_report(None, [_start_failed(f"not finished after {seconds:g} s")]))
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    return timer


if __name__ == "__main__":
    sys.exit(main())
