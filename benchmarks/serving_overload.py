"""Ten times more than the service can do: who is answered in time, who is told to come back, and who is lost.

    python benchmarks/serving_overload.py MODEL_FOLDER [--engine onnx] [--deadline 2] [--seconds 8] [--python PYTHON]

A real server on the loopback, cache off. First its pace with 64 clients, then ten times that many requests per second
come in from other processes, whether earlier ones were answered or not, each timed from when it was due. Ends with 1
when one is lost or the accepted ones' p99 is over the deadline.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serving_load import Measured, batch_gains, closed_loop, make_pairs, request, spread
from benchmarks.serving_process import mgeo, started

_TIMES = 10
_CONNECTIONS = 4000  # fewer would bound what waits to less than can be done in time: nothing would have to be refused
_GENERATORS = 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--deadline", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the service's lock installed")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * _CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    pairs = make_pairs(20_000)
    requests = [request("/similarity", {"a": a, "b": b}) for a, b in pairs]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(f"serving: {{deadline_s: {given.deadline}, cache_entries: 0}}\n")
        config.flush()
        with started(*mgeo(given.model, given.engine, given.python, Path(config.name))) as server:
            calm = Measured()
            asyncio.run(closed_loop(server.port, requests, 64, given.seconds, calm))
            rate, gains = calm.rates[64][0], batch_gains(server.port, pairs)
            print(f"pace: {rate:.0f} pairs/s; a batch of 100 against 100 single: {spread(gains)}")
            came = _flood(server.port, _TIMES * rate, given.seconds)
            memory = server.resident_mb()
    accepted, refused, late = (_p99(came[f"{kind}_s"]) for kind in ("accepted", "refused", "late"))
    offered = came["sent"] / given.seconds / rate
    print(f"offered {offered:.1f} times the pace, {came['unsent']} more were due with every connection busy;", end=" ")
    print(f"sent late by p99 {late:.2f} s")
    print(f"{came['statuses']}, {came['lost']} lost; p99: accepted {accepted:.2f} s of {given.deadline:g} s,", end=" ")
    print(f"refused {refused:.2f} s; resident afterwards {memory:.0f} MB")
    return int(accepted > given.deadline or came["lost"] > 0 or not set(came["statuses"]) <= {"200", "429"})


def _flood(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """What all generators saw together."""
    script = str(Path(__file__).with_name("serving_flood.py"))
    share = [str(port), str(rate / _GENERATORS), str(seconds), str(_CONNECTIONS // _GENERATORS)]
    running = [
        subprocess.Popen([sys.executable, script, *share, str(number)], stdout=subprocess.PIPE)
        for number in range(_GENERATORS)
    ]
    parts = [json.loads(process.communicate()[0]) for process in running]
    statuses: Counter[str] = sum((Counter(part["statuses"]) for part in parts), Counter())
    together = {key: sum((part[key] for part in parts), type(parts[0][key])()) for key in parts[0] if key != "statuses"}
    return together | {"statuses": dict(statuses)}


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else float("inf")


if __name__ == "__main__":
    sys.exit(main())
