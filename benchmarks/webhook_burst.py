"""5,000 deliveries at 64 connections; Prefect is killed for 30 s in the middle, the receiver once. Who notices?

Starts its own Prefect server, receiver and sender on free ports, in a temporary folder, and prints a table:

    python benchmarks/webhook_burst.py [--deliveries 5000] [--connections 64] [--outage-s 30]

The client behaves like a git host: it signs each delivery once, and sends it again (same id) when no answer came. One
delivery in ten is forged, one in ten is replayed under a fresh id, and those must cause nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.webhook_stage import Stage, until_up
from benchmarks.webhook_volley import Answers, fire, volley


async def outage(stage: Stage, outage_s: float, kill_after_s: float) -> None:
    """Prefect goes for a while; in the middle of that the receiver is killed and started again."""
    await asyncio.sleep(kill_after_s)
    stage.kill("prefect")
    await asyncio.sleep(min(1.0, outage_s / 3))
    stage.kill("receiver")
    stage.start("receiver")
    await asyncio.sleep(outage_s)
    stage.start("prefect")


async def stored_events(api: str) -> Counter[str]:
    """How often Prefect stores each ref's push."""
    found: Counter[str] = Counter()
    async with httpx.AsyncClient(timeout=60) as http:
        question = {"filter": {"event": {"prefix": ["git."]}}, "limit": 50}
        page = (await http.post(f"{api}/events/filter", json=question)).json()
        while True:
            found.update(event["payload"]["ref"] for event in page["events"])
            if not page["next_page"]:
                return found
            page = (await http.get(page["next_page"])).json()


async def until_drained(stage: Stage, deadline_s: float) -> float:
    """Seconds until every event is delivered."""
    started = time.monotonic()
    async with httpx.AsyncClient(timeout=30) as http:
        while time.monotonic() - started < deadline_s:
            text = (await http.get(f"{stage.hooks}/metrics")).text
            if "slipway_webhook_oldest_unsent_seconds 0.0" in text:
                return time.monotonic() - started
            await asyncio.sleep(1)
    raise SystemExit("the outbox did not drain:\n" + text)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] * 1000


def report(answers: Answers, seconds: float, drained_s: float, events: Counter[str], expected: int) -> bool:
    rows: list[tuple[str, Any]] = [
        ("deliveries answered", len(answers.seconds)),
        ("  a second", f"{len(answers.seconds) / seconds:.0f}"),
        (
            "  answer p50 / p95 / p99 / max, ms",
            " / ".join(f"{percentile(answers.seconds, at):.0f}" for at in (0.5, 0.95, 0.99, 1)),
        ),
        ("  sent again by the client", answers.resent),
        *((f"  {status}", count) for status, count in sorted(answers.statuses.items())),
        ("events expected / stored / doubled", f"{expected} / {len(events)} / {sum(events.values()) - len(events)}"),
        ("outbox empty after Prefect came back, s", f"{drained_s:.0f}"),
    ]
    for name, value in rows:
        print(f"{name:<44} {value}")
    return len(events) == expected == sum(events.values())


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--deliveries", type=int, default=5000)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--outage-s", type=float, default=30)
    options.add_argument("--kill-after-s", type=float, default=2)
    chosen = options.parse_args()
    shots = volley(chosen.deliveries)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        try:
            for name in ("prefect", "receiver", "sender"):
                stage.start(name)
            await until_up(f"{stage.api}/health")
            await until_up(f"{stage.hooks}/healthz")
            started = time.monotonic()
            trouble = asyncio.create_task(outage(stage, chosen.outage_s, chosen.kill_after_s))
            answers = await fire(stage.hook_port, shots, chosen.connections)
            seconds = time.monotonic() - started
            await trouble
            await until_up(f"{stage.api}/health")
            drained_s = await until_drained(stage, 600)
            good = report(answers, seconds, drained_s, await stored_events(stage.api), chosen.deliveries)
        finally:
            stage.close()
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    asyncio.run(main())
