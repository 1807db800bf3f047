"""Two pushes in a row: the older build is given up, an older rollout is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.engine.conftest import Harness
from tests.engine.pushing import Pushed, receiving
from tests.engine.runs import half_built, leftovers, until

pytestmark = pytest.mark.engine

DOCKERFILE, SERVER = "docker/toy/Dockerfile", "docker/toy/server.py"


@pytest.fixture
def work(harness: Harness, tmp_path: Path) -> Iterator[Pushed]:
    with receiving(harness) as url:
        yield Pushed(tmp_path, f"{url}/hooks", "github")


def test_a_newer_push_cancels_the_older_build_and_ships(harness: Harness, work: Pushed) -> None:
    earlier = {row.id for row in harness.workshop.slots.history(1000)}
    slow = work.clone.replace(DOCKERFILE, "ENV PYTHON", "RUN sleep 61\nENV PYTHON", "slow to build")
    work.push()
    first = work.run_of(slow)
    until(
        lambda: any("sleep 61" in " ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])), 120
    )
    quick = work.clone.replace(DOCKERFILE, "RUN sleep 61\n", "", "quick to build")
    work.push()
    second = work.ended(quick)
    first = work.ended(slow)
    assert first.state_name == "Cancelled", first.state
    assert second.state_name == "Completed", second.state
    assert until(lambda: leftovers(harness, first.id) + half_built(harness) == [], 30)
    assert httpx.get(f"{harness.url}/version").json()["revision"] == quick
    mine = [row for row in harness.workshop.slots.history() if row.id not in earlier]
    assert {row.status for row in mine} == {"completed"}


def test_a_push_during_a_rollout_waits_until_that_is_over(harness: Harness, work: Pushed) -> None:
    late = work.clone.replace(SERVER, "import json\n", "import json\nimport time\ntime.sleep(8)\n", "late to be ready")
    work.push()
    first = work.run_of(late)
    until(lambda: _is_rolling_out(harness, work, late), 180)
    prompt = work.clone.replace(SERVER, "import time\ntime.sleep(8)\n", "", "ready at once")
    work.push()
    second, first = work.ended(prompt), work.ended(late)
    assert first.state_name == "Completed", first.state
    assert second.state_name == "Completed", second.state
    newest, before = harness.workshop.slots.history(2)
    assert before.finished_at is not None
    assert newest.started_at >= before.finished_at
    find = harness.workshop.releases.find
    assert [find(row.digest).revision for row in (before, newest)] == [late, prompt]
    assert httpx.get(f"{harness.url}/version").json()["revision"] == prompt


def _is_rolling_out(harness: Harness, work: Pushed, revision: str) -> bool:
    """Whether the run is in its rollout; a run that ended before (a gate, say) fails the test with its reason."""
    run = work.run_of(revision)
    assert run.state is not None
    assert not run.state.is_final(), run.state.message
    return any(row.status == "running" for row in harness.workshop.slots.history(1))
