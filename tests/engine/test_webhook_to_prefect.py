"""From a signed request to an event in a real Prefect server, through a kill of either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.test_webhook_receiver import ROOT, Receiver, push
from tests.ports import free_port


class Prefect:
    """One Prefect server and one sender of ours, killable."""

    def __init__(self, receiver: Receiver) -> None:
        self.port = free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.env = os.environ | {
            "PREFECT_HOME": str(receiver.folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "SLIPWAY_LEDGER": f"sqlite:///{receiver.folder / 'ledger.db'}",
        }
        self.log = (receiver.folder / "prefect.log").open("ab")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        argv = {
            "server": ["-m", "deployments.prefect_server", "--port", str(self.port)],
            "sender": ["-m", "deployments.webhook", "send"],
        }[name]
        self.running[name] = subprocess.Popen(
            [sys.executable, *argv], cwd=ROOT, env=self.env, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run Python with this server's address."""
        return subprocess.run(
            [sys.executable, *argv], cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    def events(self) -> list[dict[str, Any]]:
        question = {"filter": {"event": {"prefix": ["git."]}}, "limit": 50}
        with suppress(httpx.TransportError):
            return list(httpx.post(f"{self.api}/events/filter", json=question, timeout=20).json()["events"])
        return []


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    one = Receiver(tmp_path)
    one.start()
    yield one
    one.kill()


@pytest.fixture
def prefect(receiver: Receiver) -> Iterator[Prefect]:
    one = Prefect(receiver)
    yield one
    for name in list(one.running):
        one.kill(name)
    one.log.close()


def until(condition: Callable[[], bool], deadline_s: float = 120) -> None:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.3)
    raise AssertionError("it did not come true in time")


def states(receiver: Receiver) -> list[str]:
    return [event["state"] for delivery in receiver.deliveries() for event in delivery["events"]]


def test_every_push_becomes_exactly_one_event_though_prefect_and_sender_are_killed(
    receiver: Receiver, prefect: Prefect
) -> None:
    prefect.start("sender")
    for number in range(5):
        assert receiver.post(push(number), delivery=f"early-{number}").status_code == 202
    prefect.start("server")
    until(lambda: "sent" in states(receiver) or "delivered" in states(receiver))
    for number in range(5, 10):
        assert receiver.post(push(number), delivery=f"mid-{number}").status_code == 202
    prefect.kill("server")
    prefect.kill("sender")
    for number in range(10, 15):
        assert receiver.post(push(number), delivery=f"late-{number}").status_code == 202
    prefect.start("server")
    prefect.start("sender")
    until(lambda: states(receiver) == ["delivered"] * 15)
    events = prefect.events()
    assert sorted(event["payload"]["ref"] for event in events) == sorted(f"refs/heads/b{n}" for n in range(15))


def test_an_event_carries_what_a_deployment_needs(receiver: Receiver, prefect: Prefect) -> None:
    prefect.start("server")
    prefect.start("sender")
    receiver.post(push(1), delivery="d1")
    until(lambda: states(receiver) == ["delivered"])
    (event,) = prefect.events()
    assert event["event"] == "git.push"
    assert event["resource"] == {
        "prefect.resource.id": "slipway.repository.github/acme/mgeo",
        "prefect.resource.name": "acme/mgeo",
        "slipway.host": "github",
        "slipway.ref": "refs/heads/b1",
        "slipway.branch": "b1",
    }
    assert event["payload"] == {
        "repository": "https://github.com/acme/mgeo.git",
        "repository_name": "acme/mgeo",
        "host": "github",
        "ref": "refs/heads/b1",
        "branch": "b1",
        "tag": "",
        "before": "a" * 40,
        "after": f"{1:040x}",
        "forced": None,
        "sender": "mina",
        "delivery_id": "d1",
        "pull_request": None,
    }


def test_a_secret_comes_from_a_prefect_block_and_is_never_shown(receiver: Receiver, prefect: Prefect) -> None:
    config = receiver.folder / "blocks.yaml"
    config.write_text(
        "admin_token: {prefect: hook-admin}\n"
        "sources: [{kind: gitea, secrets: [{prefect: hook-secret}], repositories: [{name: acme/mgeo}]}]\n"
    )
    check = ("-m", "deployments.webhook", "check", "--config", str(config))
    prefect.start("server")
    until(lambda: _is_up(prefect))
    missing = prefect.call(*check)
    assert missing.returncode == 2
    assert "cannot read the Prefect Secret block hook-admin" in missing.stderr
    save = "for name in ('hook-admin', 'hook-secret'): Secret(value='s3cret').save(name)"
    assert prefect.call("-c", f"from prefect.blocks.system import Secret\n{save}").returncode == 0
    found = prefect.call(*check)
    assert found.returncode == 0, found.stderr
    assert "gitea as gitea: 1 active secrets" in found.stdout
    assert "s3cret" not in found.stdout + found.stderr


def _is_up(prefect: Prefect) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{prefect.api}/health", timeout=5).status_code == 200
    return False
