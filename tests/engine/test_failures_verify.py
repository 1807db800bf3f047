"""An image that is not fit to serve is refused with the reason in words; the live release never notices."""

from __future__ import annotations

import pytest

from slipway.errors import RolloutFailed, SmokeFailed
from tests.engine.conftest import GitRepository, Harness
from tests.engine.failing import ensure_live, ship_fails

pytestmark = pytest.mark.engine

SMOKE, SERVER, SERVICE = "docker/toy/smoke.py", "docker/toy/server.py", "docker/toy/service.yaml"


@pytest.fixture(autouse=True)
def live(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> None:
    ensure_live(harness, tmp_path_factory.mktemp("live"))


def test_a_failing_smoke_case_is_refused_by_its_name_and_score(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SMOKE, "factor * 21", "factor * 20")
    error = ship_fails(harness, toy, SmokeFailed)
    assert "doubles: score 40 is outside [42" in error.what.splitlines()[0]


def test_a_hanging_smoke_is_stopped_at_its_deadline(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SERVICE, "timeout_s: 20", "timeout_s: 2")
    toy.replace(SMOKE, "factor = ", 'import time\nprint("loading", flush=True)\ntime.sleep(600)\nfactor = ')
    error = ship_fails(harness, toy, SmokeFailed)
    assert "did not finish within 2 s" in error.what.splitlines()[0]
    assert "loading" in error.what.splitlines()[0]


CRASHES = {
    "out of memory": ("x = bytearray(2**30)", "memory limit of 256 MiB"),
    "illegal instruction": ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "does not have"),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crashing_smoke_is_diagnosed_in_words(harness: Harness, toy: GitRepository, crash: str) -> None:
    code, words = CRASHES[crash]
    toy.replace(SMOKE, "factor = ", f"{code}\nfactor = ")
    error = ship_fails(harness, toy, SmokeFailed)
    assert words in error.what.splitlines()[0]


def test_a_service_that_never_becomes_ready_is_stopped_at_its_deadline(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SERVICE, "ready_deadline_s: 20", "ready_deadline_s: 2")
    toy.replace(
        SERVER, "server = Server", 'print("waiting for a model")\nimport time\ntime.sleep(600)\nserver = Server'
    )
    error = ship_fails(harness, toy, SmokeFailed)
    assert "not become ready within 2 s" in error.what.splitlines()[0]
    assert "waiting for a model" in str(error)


def test_a_service_that_ends_at_once_shows_its_last_words(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SERVER, "server = Server", 'raise SystemExit("no such device: cuda:0")\nserver = Server')
    error = ship_fails(harness, toy, SmokeFailed)
    assert "ended" in error.what.splitlines()[0]
    assert "no such device: cuda:0" in str(error)


def test_a_release_that_is_not_ready_in_its_slot_gets_no_traffic(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SERVICE, "ready_deadline_s: 20", "ready_deadline_s: 3")
    stuck = 'if os.environ.get("SLIPWAY_DIGEST"):\n    import time\n    time.sleep(600)\nserver = Server'
    toy.replace(SERVER, "server = Server", stuck)
    error = ship_fails(harness, toy, SmokeFailed)
    assert "not become ready within 3 s" in error.what.splitlines()[0]


def test_a_release_whose_preview_answers_wrongly_gets_no_traffic(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SERVER, "number * FACTOR", "number * FACTOR + 1")
    error = ship_fails(harness, toy, SmokeFailed)
    assert "/double answered 43" in error.what.splitlines()[0]
    assert "expected 42.0 to 42.0" in error.what.splitlines()[0]


def test_a_release_that_does_not_say_who_it_is_gets_no_traffic(harness: Harness, toy: GitRepository) -> None:
    toy.replace(SERVER, '"digest": os.environ.get("SLIPWAY_DIGEST")', '"digest": "1.0"')
    error = ship_fails(harness, toy, RolloutFailed)
    assert "preview" in error.what.splitlines()[0]
    assert "SLIPWAY_DIGEST" in str(error)
