"""Runs an image the way production does, to prove and to measure it: the engine meets the pure judgements here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.engine import Container, ContainerSpec, Engine
from slipway.errors import DeadlineExceeded, SmokeFailed
from slipway.service.model import Check, Service
from slipway.verify.facts import Machine
from slipway.verify.load import measure, measure_in_rounds
from slipway.verify.outcome import Outcome
from slipway.verify.report import BenchmarkReport
from slipway.verify.samples import Samples
from slipway.verify.smoke import Band, GpuPolicy, SmokeReport, judge_smoke

_POLL_S = 0.05
_MEASURE_DEADLINE_S = 120.0


@dataclass(frozen=True)
class Trial:
    """One image under test: by digest, in a container of this name, with the labels by which it is found again."""

    image: str
    name: str
    labels: Mapping[str, str]
    service: Service
    machine: Machine


def run_smoke(engine: Engine, trial: Trial) -> SmokeReport:
    """Run the service's smoke command: no network, memory and processes bounded, a GPU when the host hands one out."""
    smoke = trial.service.smoke
    wants_gpu = smoke.gpu != "never" and trial.machine.gpu is not None and engine.has_gpu_runtime()
    finished = engine.run_to_end(
        ContainerSpec(
            image=trial.image,
            name=trial.name,
            labels=trial.labels,
            command=smoke.command,
            environment=trial.service.serving.environment,
            memory_mb=smoke.memory_mb,
            pids=smoke.pids,
            gpus=wants_gpu,
        ),
        deadline_s=smoke.timeout_s,
    )
    outcome = Outcome(
        exit_code=finished.exit_code,
        stdout=finished.stdout,
        stderr=finished.stderr,
        oom_killed=finished.out_of_memory,
        deadline_s=smoke.timeout_s,
        memory_limit_bytes=smoke.memory_mb * 2**20,
    )
    bands = {case.name: Band(min=case.expect.min, max=case.expect.max) for case in smoke.cases}
    return judge_smoke(outcome, trial.machine, gpu=GpuPolicy(smoke.gpu), bands=bands)


def run_benchmark(engine: Engine, trial: Trial, network: str, on_line: Callable[[str], None]) -> BenchmarkReport:
    """Start the service, wait until it is ready, put load on it, and look at its memory.

    Raises `SmokeFailed` when it does not become ready.
    """
    plan, started = trial.service.benchmark, time.monotonic()
    try:
        container = engine.start(serving_spec(trial, network, {}))
        wait_until_ready(engine, container, trial.service)
        ready_s = time.monotonic() - started
        url = f"http://{container.address}:{trial.service.serving.port}"
        single = _measure(url, trial.service, plan.payload.single, plan.concurrencies)
        (batched,) = _measure(url, trial.service, plan.payload.batch, (1,), pairs=batch_size(plan.payload.batch))
        for one in (*single, batched):
            on_line(f"{one.concurrency} clients, {one.pairs_per_request} a request: {one.pairs_per_s:.0f} pairs/s")
        return BenchmarkReport(
            machine=trial.machine.kind,
            time_to_ready_s=ready_s,
            single=single,
            batched=batched,
            rss_mb=engine.resident_memory_mb(container.name),
            image_mb=engine.image_size(trial.image) / 1e6,
        )
    finally:
        engine.remove(trial.name)


def serving_spec(trial: Trial, network: str, environment: Mapping[str, str], *, restart: bool = False) -> ContainerSpec:
    """The container as it serves: read-only, bounded, on a network, with what it must know about itself."""
    return ContainerSpec(
        image=trial.image,
        name=trial.name,
        labels=trial.labels,
        environment={**trial.service.serving.environment, **environment},
        network=network,
        memory_mb=trial.service.serving.memory_mb,
        pids=trial.service.smoke.pids,
        gpus=trial.service.smoke.gpu == "required",
        restart=restart,
    )


def wait_until_ready(engine: Engine, container: Container, service: Service) -> None:
    """Returns when the service says that it is ready. Raises `SmokeFailed` with its last words."""
    serving = service.serving
    url = f"http://{container.address}:{serving.port}{serving.ready}"
    give_up = time.monotonic() + serving.ready_deadline_s
    with httpx.Client(timeout=2) as client:
        while time.monotonic() < give_up:
            if _answers(client, url):
                return
            state = engine.find(container.name)
            if state is None or state.status in ("exited", "dead", "restarting"):
                why = f"ended before it was ready ({state.status if state else 'its container is gone'})"
                break
            time.sleep(_POLL_S)
        else:
            why = f"did not become ready within {serving.ready_deadline_s} s"
    raise SmokeFailed(
        f"{service.name} {why}",
        subject=container.image,
        tail=engine.logs(container.name),
        next_step=f"its last log lines are above; while it runs, its {serving.ready} says what it waits for",
    )


def check_answer(url: str, check: Check, deadline_s: float = 10.0) -> float:
    """Ask the service its one decisive question; the number it answered. Raises `SmokeFailed` outside its band."""
    try:
        answer = httpx.post(f"{url}{check.path}", json=check.body, timeout=deadline_s)
        answer.raise_for_status()
        value = float(dig(answer.json(), check.expect.field))
    except httpx.TimeoutException as late:
        raise DeadlineExceeded(
            f"{url}{check.path} did not answer within {deadline_s:.0f} s",
            next_step="it is asked again; when it stays silent, look at the container's log",
        ) from late
    except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as wrong:
        raise SmokeFailed(
            f"{check.path} did not answer the check with a number at {check.expect.field!r}: {wrong}",
            next_step="send the check's body from service.yaml to the service and read its answer",
        ) from wrong
    if not check.expect.holds(value):
        raise SmokeFailed(
            f"{check.path} answered {value:.4f}, expected {check.expect.min} to {check.expect.max}",
            next_step="the model or the check in service.yaml is wrong; nothing was switched",
        )
    return value


def dig(answer: Any, path: str) -> Any:
    """The value at a path such as `results.0.score` of a JSON document."""
    for step in path.split("."):
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


def batch_size(payload: Mapping[str, Any]) -> int:
    """How many items a batch payload holds: the length of its only list."""
    return next((len(value) for value in payload.values() if isinstance(value, list)), 1)


def _measure(
    url: str, service: Service, payload: Any, concurrencies: Sequence[int], pairs: int = 1
) -> tuple[Samples, ...]:
    plan = service.benchmark
    measure(url, plan.path, [payload], concurrency=1, samples=plan.warmup, deadline_s=_MEASURE_DEADLINE_S)
    return measure_in_rounds(
        url,
        plan.path,
        [payload],
        concurrencies=concurrencies,
        samples=plan.samples,
        deadline_s=_MEASURE_DEADLINE_S,
        pairs=pairs,
    )


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.HTTPError:
        return False
