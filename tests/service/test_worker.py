"""The second process for features: the same numbers, and no request lost whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from mgeo import server as serving
from mgeo.judging import Rows, measure
from mgeo.model import load_model
from mgeo.scoring import PairScorer
from mgeo.server import start_matcher
from mgeo.worker import Worker

from tests.service.helpers import running, stub_settings
from tests.service.processes import environment, server, until_ready

_PAIRS = [(f"北京市朝阳区建国路{i}号", f"北京朝阳建外{i}号{i % 7}栋") for i in range(100)]
_BODY = {"pairs": [{"a": a, "b": b} for a, b in _PAIRS]}


@asynccontextmanager
async def worker_for(folder: Path, patience_s: float = 60) -> AsyncIterator[Worker]:
    worker = Worker(folder, patience_s=patience_s, pause_s=0.1)
    await until(lambda: worker.pid)
    yield worker
    await worker.stop()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def rows_of(begun: Awaitable[Rows | None] | None) -> Rows | None:
    assert begun is not None
    return await begun


async def test_its_features_are_those_of_the_service_bit_for_bit(default_model: Path) -> None:
    scorer = PairScorer.load(default_model)
    async with worker_for(default_model) as worker:
        theirs = await rows_of(worker.take(_PAIRS))
    assert theirs is not None
    assert np.array_equal(theirs, measure(scorer, _PAIRS, scorer.prepare))


async def test_while_it_works_it_takes_nothing_more(default_model: Path) -> None:
    async with worker_for(default_model) as worker:
        first = worker.take(_PAIRS)
        assert worker.take(_PAIRS) is None
        assert await rows_of(first) is not None
        assert worker.take(_PAIRS[:1]) is not None


async def test_an_answer_nobody_waits_for_is_not_taken_for_the_next(default_model: Path) -> None:
    async with worker_for(default_model) as worker:
        begun = worker.take(_PAIRS)
        assert begun is not None
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(begun), 0)
        await until(lambda: worker.pairs_done)
        one = await rows_of(worker.take(_PAIRS[:1]))
    assert one is not None
    assert len(one) == 1


async def test_one_that_dies_over_its_work_says_so_and_another_starts(default_model: Path) -> None:
    async with worker_for(default_model) as worker:
        dead = worker.pid
        os.kill(dead, signal.SIGSTOP)  # so that it cannot answer first
        begun = worker.take(_PAIRS)
        os.kill(dead, signal.SIGKILL)
        assert await rows_of(begun) is None
        await until(lambda: worker.pid not in (0, dead))
        assert await rows_of(worker.take(_PAIRS)) is not None


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why workers ended, as the log is told."""
    reasons: list[str] = []
    monkeypatch.setattr("mgeo.worker.say", lambda _, reason, **__: reasons.append(reason))
    return reasons


async def test_one_that_read_another_model_is_not_used(default_model: Path, tmp_path: Path, ends: list[str]) -> None:
    folder = tmp_path / "model"
    shutil.copytree(default_model, folder)
    async with worker_for(folder) as worker:
        (folder / "divisions.tsv").write_text("")
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: len(ends) > 1)
        assert "folder has changed" in ends[1]
        assert worker.take(_PAIRS) is None


async def test_one_that_hangs_is_replaced(default_model: Path) -> None:
    async with worker_for(default_model, patience_s=5) as worker:
        hanging = worker.pid
        os.kill(hanging, signal.SIGSTOP)
        assert await rows_of(worker.take(_PAIRS)) is None
        await until(lambda: worker.pid not in (0, hanging))
        assert await rows_of(worker.take(_PAIRS)) is not None


async def test_one_that_cannot_start_is_tried_again(
    default_model: Path, monkeypatch: pytest.MonkeyPatch, ends: list[str]
) -> None:
    python = sys.executable
    monkeypatch.setattr("sys.executable", "/no/python")
    worker = Worker(default_model, patience_s=60, pause_s=0.1)
    await until(lambda: len(ends) > 1)
    assert "/no/python" in ends[1]
    assert worker.take(_PAIRS) is None
    monkeypatch.setattr("sys.executable", python)
    await until(lambda: worker.pid)
    await worker.stop()


async def test_a_batch_is_answered_in_full_when_its_worker_dies(default_model: Path) -> None:
    settings = stub_settings(engine={"name": "onnx"}, model={"path": str(default_model)}, serving={"cache_entries": 0})
    async with running(settings) as (client, state):
        worker = state.matcher and state.matcher.worker
        assert worker
        alone = (await client.post("/similarity", json=_BODY)).json()
        await until(lambda: worker.pid)
        before = worker.pairs_done
        together = (await client.post("/similarity", json=_BODY)).json()
        done = worker.pairs_done
        pid = worker.pid
        os.kill(pid, signal.SIGSTOP)
        asking = asyncio.create_task(client.post("/similarity", json=_BODY))
        await asyncio.sleep(0.3)
        assert not asking.done()
        os.kill(pid, signal.SIGKILL)
        bereaved = (await asking).json()
        await until(lambda: not worker.pid)
        page = (await client.get("/metrics")).text
    assert alone == together == bereaved
    assert len(alone["results"]) == len(_PAIRS)
    assert done == before + len(_PAIRS) * 3 // 5
    assert f"mgeo_worker_pairs_total {done:.1f}" in page
    assert "mgeo_worker_up 0.0" in page


async def test_known_addresses_are_not_sent_to_it(default_model: Path) -> None:
    settings = stub_settings(engine={"name": "onnx"}, model={"path": str(default_model)})
    async with running(settings) as (client, state):
        worker = state.matcher and state.matcher.worker
        assert worker
        for start in range(0, len(_PAIRS), 10):  # too few for it
            await client.post("/similarity", json={"pairs": _BODY["pairs"][start : start + 10]})
        await until(lambda: worker.pid)
        assert (await client.post("/similarity", json=_BODY)).status_code == 200
        assert worker.pairs_done == 0


async def test_one_processor_has_no_second_process(default_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "usable_cpus", lambda: 1)
    settings = stub_settings(engine={"name": "onnx"}, model={"path": str(default_model)})
    matcher = start_matcher(settings, load_model(settings))
    assert matcher.worker is None
    await matcher.stop()


async def test_a_model_without_features_has_no_second_process() -> None:
    matcher = start_matcher(stub_settings(), load_model(stub_settings()))
    assert matcher.worker is None
    await matcher.stop()


def test_it_ends_with_a_service_that_is_killed(default_model: Path) -> None:
    with server(MGEO_ENGINE="onnx", MGEO_MODEL=str(default_model)) as (address, process):
        until_ready(address)
        service = psutil.Process(process.pid)
        asyncio.run(until(service.children))
        children = service.children()
        process.kill()
        gone, alive = psutil.wait_procs(children, timeout=20)
    assert len(gone) == 1
    assert not alive


def test_what_it_stumbles_over_is_not_quoted(default_model: Path) -> None:
    message = json.dumps(["北京市朝阳区建国路88号", 5]).encode()
    argv = [sys.executable, "-m", "mgeo.worker", str(default_model)]
    sent = len(message).to_bytes(4) + message
    done = subprocess.run(argv, env=environment(), input=sent, capture_output=True, timeout=60)
    assert done.returncode == 1
    told = json.loads(done.stderr)
    assert (told["event"], told["error"]) == ("worker failed", "TypeError")
    assert "建国路" not in done.stderr.decode()
