from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from slipway.engine import Container
from slipway.errors import DeadlineExceeded, SmokeFailed
from slipway.verify import container as module
from slipway.verify.container import Trial, batch_size, check_answer, dig, serving_spec, wait_until_ready
from slipway.verify.facts import Machine
from tests.unit.values import TOY

TRIAL = Trial("toy@sha256:1", "name", {"slipway.role": "slot"}, TOY, Machine("cpu", 2, 2**33))
CHECK = TOY.serving.check  # doubled.0 of 21 is 42
RUNNING = Container("1", "name", "toy@sha256:1", "running", "172.18.0.2", {})


@pytest.mark.parametrize(
    ("answer", "path", "found"),
    [({"score": 0.5}, "score", 0.5), ({"results": [{"score": 1}]}, "results.0.score", 1), ([[3]], "0.0", 3)],
)
def test_a_value_is_found_by_its_path(answer: Any, path: str, found: Any) -> None:
    assert dig(answer, path) == found


def test_a_batch_is_as_large_as_its_list() -> None:
    assert batch_size({"numbers": [1, 2, 3], "mode": "fast"}) == 3
    assert batch_size({"number": 1}) == 1


def test_a_service_runs_read_only_and_bounded_and_knows_what_it_is() -> None:
    spec = serving_spec(TRIAL, "slipway", {"SLIPWAY_DIGEST": "sha256:1"}, restart=True)
    assert spec.read_only
    assert (spec.memory_mb, spec.pids, spec.gpus, spec.restart) == (256, TRIAL.service.smoke.pids, False, True)
    assert spec.environment["SLIPWAY_DIGEST"] == "sha256:1"
    assert (spec.image, spec.network, dict(spec.labels)) == ("toy@sha256:1", "slipway", {"slipway.role": "slot"})


def answering(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> None:
    def post(url: str, **_how: Any) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        answer.request = httpx.Request("POST", url)
        return answer

    monkeypatch.setattr(httpx, "post", post)


def test_the_decisive_answer_within_its_band_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, httpx.Response(200, json={"doubled": [42]}))
    assert check_answer("http://service", CHECK) == 42


def test_an_answer_outside_its_band_names_the_band(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, httpx.Response(200, json={"doubled": [43]}))
    with pytest.raises(SmokeFailed, match=r"/double answered 43\.0000, expected 42\.0 to 42\.0"):
        check_answer("http://service", CHECK)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="boom"),
        httpx.Response(200, text="no JSON"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"doubled": []}),
        httpx.Response(200, json={"doubled": ["many"]}),
        httpx.Response(200, json={"doubled": [None]}),
        httpx.Response(200, json=[1]),
        httpx.ConnectError("refused"),
    ],
)
def test_an_answer_without_the_number_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception
) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(SmokeFailed, match=r"did not answer the check with a number at 'doubled\.0'"):
        check_answer("http://service", CHECK)


def test_no_number_at_all_is_never_within_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, httpx.Response(200, content=b'{"doubled": [NaN]}'))
    with pytest.raises(SmokeFailed):
        check_answer("http://service", CHECK)


def test_a_silent_service_is_a_deadline_that_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, httpx.ReadTimeout("silence"))
    with pytest.raises(DeadlineExceeded, match="did not answer within 10 s"):
        check_answer("http://service", CHECK)


class Host:
    """An engine with one container, and how often the service in it says that it is not ready yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, not_ready: int, status: str = "running") -> None:
        self.left, self.status, self.now = not_ready, status, 0.0
        monkeypatch.setattr(module, "_answers", self.answers)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def answers(self, _client: httpx.Client, url: str) -> bool:
        assert url == "http://172.18.0.2:9000/ready"
        self.left -= 1
        return self.left < 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def find(self, _name: str) -> Container | None:
        return Container("1", "name", "toy@sha256:1", self.status, "", {}) if self.status else None

    def logs(self, _name: str) -> str:
        return "Segmentation fault"


def wait(host: Host) -> None:
    engine: Any = host
    wait_until_ready(engine, RUNNING, TOY)


def test_waiting_ends_when_the_service_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, not_ready=5)
    wait(host)
    assert host.now == pytest.approx(5 * 0.05)


@pytest.mark.parametrize(("status", "shown"), [("exited", "exited"), ("restarting", "restarting"), ("", "gone")])
def test_a_service_that_crashes_is_called_crashed_at_once(
    monkeypatch: pytest.MonkeyPatch, status: str, shown: str
) -> None:
    host = Host(monkeypatch, not_ready=10**6, status=status)
    with pytest.raises(SmokeFailed) as crashed:
        wait(host)
    assert "toy ended before it was ready" in crashed.value.what
    assert shown in crashed.value.what
    assert crashed.value.tail == "Segmentation fault"
    assert host.now == 0


def test_a_service_that_never_gets_ready_is_given_up_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SmokeFailed, match="toy did not become ready within 20 s"):
        wait(Host(monkeypatch, not_ready=10**6))
