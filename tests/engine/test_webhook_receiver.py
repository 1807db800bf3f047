"""The receiver as a real process behind a real socket: what hosts, forgers and admins get."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SECRET, ADMIN = "correct horse battery", "admin-token-for-tests"
CONFIG = """
admin_token: {env: ADMIN}
body_limit_mib: 0.01
sources:
  - kind: github
    secrets: [{env: HOOK_SECRET}]
    repositories: [{name: acme/mgeo}]
"""


class Receiver:
    """One receiver process on one ledger; `start` after `kill` is a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "webhook.yaml").write_text(CONFIG)
        self.log = folder / "receiver.log"

    def start(self) -> None:
        argv = [sys.executable, "-m", "deployments.webhook", "receive", "--port", str(self.port)]
        env = os.environ | {"HOOK_SECRET": SECRET, "ADMIN": ADMIN}
        env |= {
            "SLIPWAY_LEDGER": f"sqlite:///{self.folder / 'ledger.db'}",
            "SLIPWAY_WEBHOOK_CONFIG": str(self.folder / "webhook.yaml"),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def post(
        self,
        content: Any,
        *,
        secret: str = SECRET,
        delivery: str = "d1",
        event: str = "push",
        deadline_s: float = 5,
    ) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-github-event": event, "x-github-delivery": delivery, "x-hub-signature-256": f"sha256={signature}"}
        return httpx.post(f"{self.url}/hooks", content=body, headers=headers, timeout=deadline_s)

    def deliveries(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.url}/api/deliveries?limit=500", auth=("x", ADMIN)).json())

    def newest(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Rejections are written a moment after their answer."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for one in self.deliveries():
                if wanted(one):
                    return one
            time.sleep(0.05)
        raise AssertionError(self.deliveries()[:3])


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    one = Receiver(tmp_path_factory.mktemp("receiver"))
    one.start()
    yield one
    one.kill()


def push(number: int, repository: str = "acme/mgeo", **more: Any) -> dict[str, Any]:
    return {
        "ref": f"refs/heads/b{number}",
        "before": "a" * 40,
        "after": f"{number:040x}",
        "repository": {"full_name": repository, "clone_url": "https://github.com/acme/mgeo.git"},
        "sender": {"login": "mina"},
        **more,
    }


def test_a_valid_push_is_accepted_and_shown(receiver: Receiver) -> None:
    answer = receiver.post(push(1), delivery="valid-1")
    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")
    shown = receiver.newest(lambda one: one["delivery_id"] == "valid-1")
    assert shown["events"][0] | {"event_id": ""} == {
        "event_id": "",
        "name": "git.push",
        "ref": "refs/heads/b1",
        "before": "a" * 40,
        "after": f"{1:040x}",
        "forced": None,
        "sender": "mina",
        "state": "pending",
        "reason": "",
        "attempts": 0,
        "delivered_at": None,
        "outcome": "",
    }


def test_a_redelivery_is_a_duplicate_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    one = Receiver(tmp_path)
    one.start()
    try:
        assert one.post(push(2), delivery="again").status_code == 202
        one.kill()
        one.start()
        answer = one.post(push(2), delivery="again")
        assert (answer.status_code, answer.json()["state"]) == (200, "ignored")
        assert len([event for delivery in one.deliveries() for event in delivery["events"]]) == 1
    finally:
        one.kill()


def test_a_locked_ledger_asks_the_host_to_try_again_and_then_writes_once(receiver: Receiver) -> None:
    lock = sqlite3.connect(receiver.folder / "ledger.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    answer = receiver.post(push(10), delivery="locked", deadline_s=12)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    lock.execute("ROLLBACK")
    lock.close()
    again = receiver.post(push(10), delivery="locked")
    assert again.status_code in (200, 202)
    shown = receiver.newest(lambda one: one["delivery_id"] == "locked")
    assert len(shown["events"]) == 1


def test_a_body_that_never_comes_does_not_hold_the_receiver(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as line:
        line.sendall(b"POST /hooks HTTP/1.1\r\nhost: x\r\nx-github-event: push\r\ncontent-length: 10\r\n\r\nabc")
        assert receiver.post(push(11), delivery="beside").status_code == 202
        line.settimeout(20)
        assert line.recv(100).startswith(b"HTTP/1.1 408")


def test_forged_missing_and_foreign_signatures_get_the_same_body(receiver: Receiver) -> None:
    forged = receiver.post(push(3), secret="guess")
    foreign = receiver.post(push(3, "acme/other"))
    missing = httpx.post(f"{receiver.url}/hooks", json=push(3), headers={"x-github-event": "push"})
    unknown = httpx.post(f"{receiver.url}/hooks", json=push(3))
    assert [one.status_code for one in (forged, foreign, missing, unknown)] == [401, 403, 401, 401]
    assert len({one.content for one in (forged, foreign, missing, unknown)}) == 1
    assert receiver.newest(lambda one: one["reason"] == "bad signature")["repository"] == ""
    assert receiver.newest(lambda one: "not on the list" in one["reason"])["repository"] == "acme/other"


def test_a_malformed_body_is_told_what_is_wrong_once_the_signature_holds(receiver: Receiver) -> None:
    answer = receiver.post(push(4, before="HEAD"))
    assert answer.status_code == 400
    assert answer.json()["detail"] == "`before` is not a full commit SHA"


@pytest.mark.parametrize("announced", [True, False])
def test_an_oversized_body_is_refused_unread(receiver: Receiver, announced: bool) -> None:
    body = b"x" * 200_000
    content = body if announced else iter([body[:100_000], body[100_000:]])
    with suppress(httpx.WriteError):
        answer = httpx.post(f"{receiver.url}/hooks", content=content, headers={"x-github-event": "push"})
        assert answer.status_code == 413


def test_nothing_of_a_forged_body_or_any_secret_is_logged(receiver: Receiver) -> None:
    receiver.post(push(5, "evil/canary-in-the-body"), secret="guess", delivery="canary-in-the-header")
    receiver.post({"ref": "canary-in-the-body"})
    text = receiver.log.read_text()
    assert "canary" not in text
    assert SECRET not in text
    assert ADMIN not in text
    assert "canary" not in json.dumps(receiver.deliveries())


@pytest.mark.parametrize("path", ["/deliveries", "/api/deliveries"])
def test_the_deliveries_ask_for_the_admin_token(receiver: Receiver, path: str) -> None:
    assert httpx.get(receiver.url + path).status_code == 401
    assert httpx.get(receiver.url + path, auth=("x", "guess")).status_code == 401
    assert httpx.get(receiver.url + path, auth=("x", ADMIN)).status_code == 200


def test_a_replay_needs_the_token_and_the_page_itself(receiver: Receiver) -> None:
    delivery = receiver.post(push(6), delivery="to-replay").json()["delivery"]
    url = f"{receiver.url}/deliveries/{delivery}/replay"
    assert httpx.post(url).status_code == 401
    assert httpx.post(url, auth=("x", ADMIN), headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert httpx.post(url, auth=("x", ADMIN)).json() == {"delivery": delivery, "events": 1}
    shown = receiver.newest(lambda one: one["id"] == delivery)
    assert len({event["event_id"] for event in shown["events"]}) == 2
    assert httpx.post(f"{receiver.url}/deliveries/999999/replay", auth=("x", ADMIN)).status_code == 404


def test_the_page_escapes_what_hosts_send(receiver: Receiver) -> None:
    receiver.post(push(7, sender={"login": "<script>alert(1)</script>"}), delivery="escape")
    text = httpx.get(f"{receiver.url}/deliveries", auth=("x", ADMIN)).text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_metrics_count_answers_and_rows(receiver: Receiver) -> None:
    receiver.post(push(8), delivery="counted")
    text = httpx.get(f"{receiver.url}/metrics").text
    assert 'slipway_webhook_answers_total{status="202"}' in text
    assert 'slipway_webhook_ledger_rows{state="pending",table="event"}' in text
    assert "slipway_webhook_oldest_unsent_seconds" in text


def test_a_stop_signal_ends_the_receiver_cleanly(tmp_path: Path) -> None:
    one = Receiver(tmp_path)
    one.start()
    one.post(push(9))
    assert one.kill(signal.SIGTERM) in (0, -signal.SIGTERM)


HOST_HEADERS = "x-github-event x-gitea-event x-gitlab-event x-gitee-event x-event-key codeup-event webhook-signature"
PROOF_HEADERS = "webhook-id webhook-timestamp x-hub-signature-256 x-gitlab-token x-gitee-token x-codeup-token"
HEADER_NAMES = st.sampled_from(f"{HOST_HEADERS} {PROOF_HEADERS}".split())
HEADER_VALUES = st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if byte > 32 and byte != 127))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=5), st.binary(max_size=200))
def test_random_requests_are_neither_accepted_nor_an_error(
    receiver: Receiver, headers: dict[str, bytes], body: bytes
) -> None:
    raw = [(name.encode(), value) for name, value in headers.items()]
    answer = httpx.post(f"{receiver.url}/hooks", content=body, headers=raw)
    assert answer.status_code in (400, 401)
