"""The programs of the image, run as programs: server, smoke, inference, probe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.service.processes import ROOT, ask, command, environment, server, until_ready

CASE = "- {name: same, a: 文三路88号, b: 文三路88号, min: 0.9, verdict: match}\n"


def test_a_missing_model_leaves_the_service_alive_and_says_why(tmp_path: Path) -> None:
    with server(MGEO_ENGINE="onnx", MGEO_MODEL=str(tmp_path / "nothing")) as (address, _):
        body = until_ready(address, 503)
        assert body["status"] == "failed"
        assert "there is no model folder at" in body["reason"]
        assert ask(f"{address}/healthz")[0] == 200
        status, refusal = ask(f"{address}/similarity", {"a": "文三路", "b": "文三路"})
        assert (status, refusal["message"]) == (503, body["reason"])


def test_a_damaged_model_leaves_the_service_alive_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"version": "m", "files": {"onnx/model.onnx": "0" * 64}}))
    with server(MGEO_ENGINE="onnx", MGEO_MODEL=str(tmp_path)) as (address, _):
        assert "onnx/model.onnx: No such file" in until_ready(address, 503)["reason"]
        assert ask(f"{address}/healthz")[0] == 200


def test_a_broken_scorer_leaves_the_service_alive_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "scoring.json").write_text("{")
    with server(MGEO_MODEL=str(tmp_path)) as (address, _):
        assert "scoring.json" in until_ready(address, 503)["reason"]


def test_a_broken_config_ends_the_server_with_every_problem(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("engine: {name: fast}\nserving: {port: -1, color: red}\n")
    done = command("server", MGEO_CONFIG=str(config), MGEO_ENGINE="")
    assert done.returncode == 2
    assert "3 problem(s)" in done.stderr
    assert all(field in done.stderr for field in ("engine.name", "serving.port", "serving.color"))
    assert "Traceback" not in done.stderr


def test_sigterm_finishes_what_was_accepted_and_exits_cleanly(onnx_folder: Path) -> None:
    with server(MGEO_ENGINE="onnx", MGEO_MODEL=str(onnx_folder)) as (address, process):
        asking, answers = busy(address)
        process.send_signal(signal.SIGTERM)
        asking.join(60)
        assert process.wait(30) == 0
    assert answers[0][0] == 200
    assert len(answers[0][1]["results"]) == 1000


@pytest.mark.parametrize(("drain_s", "again", "code"), [(0, False, 0), (60, True, 128 + signal.SIGTERM)])
def test_a_server_that_may_not_finish_ends_without_a_crash(
    onnx_folder: Path, tmp_path: Path, drain_s: int, again: bool, code: int
) -> None:
    """Once the time to drain is over, or when it is told again."""
    (tmp_path / "config.yaml").write_text(f"serving: {{drain_s: {drain_s}}}\n")
    more = {"MGEO_CONFIG": str(tmp_path / "config.yaml"), "MGEO_ENGINE": "onnx", "MGEO_MODEL": str(onnx_folder)}
    with server(**more) as (address, process):
        asking, _ = busy(address)
        process.send_signal(signal.SIGTERM)
        while again and process.poll() is None:
            time.sleep(0.05)  # two signals that are not taken one by one are one
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == code
        asking.join(60)
        assert process.stderr
        log = process.stderr.read()
    assert "terminate called" not in log
    assert ("ended before all was answered" in log) == again


def busy(address: str) -> tuple[threading.Thread, list[tuple[int, dict[str, Any]]]]:
    """A server that has begun to answer a thousand long pairs: who asks, and where the answer will be."""
    until_ready(address)
    pairs = [{"a": f"北京市海淀区大街{i}号" * 6, "b": f"上海弄{i}号" * 6} for i in range(1000)]
    answers: list[tuple[int, dict[str, Any]]] = []

    def ask_for_all() -> None:
        with contextlib.suppress(OSError, ValueError, AssertionError):  # the server may end in the middle of it
            answers.append(ask(f"{address}/similarity", {"pairs": pairs}))

    asking = threading.Thread(target=ask_for_all)
    asking.start()
    while "mgeo_queue_tokens 0.0" in metrics(address) and asking.is_alive():
        time.sleep(0.002)
    return asking, answers


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("server", MGEO_HOST="127.0.0.1", MGEO_PORT=port)
    assert done.returncode == 3
    assert done.stderr.startswith(f"cannot listen on 127.0.0.1 port {port}: Address already in use; MGEO_HOST")


def metrics(address: str) -> str:
    with urllib.request.urlopen(f"{address}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def test_the_log_is_json_lines_on_stderr() -> None:
    with server() as (address, process):
        until_ready(address)
        ask(f"{address}/similarity", {"a": "文三路", "b": "文三路"})
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    events = [json.loads(line) for line in log.splitlines()]
    assert "ready" in [event["event"] for event in events]
    assert "文三路" not in log


def test_smoke_prints_one_object_and_passes(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(CASE)
    done = command("smoke", MGEO_CASES=str(tmp_path / "cases.yaml"))
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert (report["device"], report["degraded"], report["gpu"]) == ("cpu", False, None)
    (result,) = report["results"]
    assert result["status"] == "success"
    assert result["expected"] == {"min": 0.9, "max": 1.0, "verdict": "match"}


def test_smoke_fails_on_a_score_outside_its_band(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(CASE + "- {name: far, a: 文三路, b: 世纪大道, min: 0.8}\n")
    done = command("smoke", MGEO_CASES=str(tmp_path / "cases.yaml"))
    assert done.returncode == 1
    results = json.loads(done.stdout)["results"]
    assert [result["status"] for result in results] == ["success", "failure"]
    assert "outside 0.8..1.0" in results[1]["message"]


@pytest.mark.parametrize("cases", ["[]", "- {name: x}", "- {name: x, a: 1, b: [], maximum: 2}", "{", None])
def test_smoke_without_usable_cases_is_an_error(tmp_path: Path, cases: str | None) -> None:
    if cases is not None:
        (tmp_path / "cases.yaml").write_text(cases)
    done = command("smoke", MGEO_CASES=str(tmp_path / "cases.yaml"))
    assert done.returncode == 1
    assert json.loads(done.stdout)["results"][0]["status"] == "error"


def test_smoke_without_a_model_is_an_error_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(CASE)
    done = command("smoke", MGEO_CASES=str(tmp_path / "cases.yaml"), MGEO_ENGINE="onnx", MGEO_MODEL=str(tmp_path / "m"))
    assert done.returncode == 1
    assert str(tmp_path / "m") in json.loads(done.stdout)["results"][0]["message"]


def test_smoke_that_hangs_reports_and_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cases.yaml")  # reading it waits for ever
    done = command("smoke", MGEO_CASES=str(tmp_path / "cases.yaml"), MGEO_SMOKE_DEADLINE_S="1")
    assert done.returncode == 1
    assert "not finished after 1 s" in json.loads(done.stdout)["results"][0]["message"]


def test_inference_judges_the_pairs_of_the_config() -> None:
    done = command("inference", "--config", str(ROOT / "config.yaml"))
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert [result["status"] for result in report["results"]] == ["success"] * 3
    assert report["results"][0]["a"] == "北京市朝阳区建国路88号"


def test_inference_reports_errors_per_pair_and_judges_the_rest(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("文三路,文三路\n,文三路\n😀,文三路\n只有一列\n世纪大道,世纪大道\n", "utf-8")
    done = command("inference", "--pairs", str(pairs))
    results = json.loads(done.stdout)["results"]
    assert done.returncode == 1
    assert [result["status"] for result in results] == ["success", "error", "error", "error", "success"]
    assert results[1]["message"].startswith("a: ")
    assert results[0]["score"] == 1.0


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_inference_that_cannot_start_says_why_in_json(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "pairs.csv").write_bytes(content)
    done = command("inference", "--pairs", str(tmp_path / "pairs.csv"))
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]


def test_cuda_that_is_not_there_falls_back_to_the_cpu_with_a_warning(bert_folder: Path) -> None:
    more = {"MGEO_ENGINE": "torch", "MGEO_DEVICE": "cuda", "MGEO_MODEL": str(bert_folder)}
    done = command("inference", "--config", str(ROOT / "config.yaml"), **more)
    assert json.loads(done.stdout)["device"] == "cpu"
    assert "running on the CPU" in done.stderr


def test_the_probe_tells_alive_from_dead() -> None:
    with server() as (address, _):
        until_ready(address)
        port = address.rsplit(":", 1)[1]
        assert command("probe", MGEO_PORT=port).returncode == 0
        assert command("probe", "/nothing", MGEO_PORT=port).returncode == 1
    assert command("probe", MGEO_PORT=port).returncode == 1


def test_nothing_reports_to_anybody_and_two_texts_wake_no_threads() -> None:
    code = "import mgeo, os; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['TOKENIZERS_PARALLELISM'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1", "false"]
