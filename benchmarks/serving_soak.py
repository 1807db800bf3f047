"""Many requests, good and bad ones mixed, and the service's memory on the way.

    python benchmarks/serving_soak.py MODEL_FOLDER [--requests 100000] [--engine onnx] [--python PYTHON]

Ends with 1 when an answer is a 5xx or missing, when memory grew after the first tenth (in which caches fill), or when
it is over 300 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serving_load import make_pairs, request
from benchmarks.serving_process import mgeo, started

_CLIENTS = 16
_STEPS = 10
_ALLOWED_MB = 300
_GROWTH_MB = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the service's lock installed")
    given = parser.parse_args()
    statuses: Counter[str] = Counter()
    requests = _mixed()
    with started(*mgeo(given.model, given.engine, given.python)) as server:
        levels = [server.resident_mb()]
        print(f"ready: {levels[0]:.0f} MB", flush=True)
        for step in range(_STEPS):
            began, count = time.monotonic(), given.requests // _STEPS
            asyncio.run(_send(server.port, itertools.islice(requests, count), statuses))
            levels.append(server.resident_mb())
            pace = count / (time.monotonic() - began)
            print(f"{(step + 1) * count} requests: {levels[-1]:.1f} MB, {pace:.0f}/s", flush=True)
    grown = levels[-1] - levels[1]
    print(f"{dict(statuses)}; memory since the first tenth: {grown:+.1f} MB, most {max(levels):.0f} MB")
    bad = statuses["lost"] or any(status.startswith("5") for status in statuses)
    return int(bool(bad) or grown > _GROWTH_MB or max(levels) > _ALLOWED_MB)


def _mixed() -> Iterator[bytes]:
    """Every tenth request is wrong in one of several ways, every hundredth is a batch; addresses rarely repeat."""
    for round_number in itertools.count():
        for number, (a, b) in enumerate(make_pairs(20_000)):
            one = {"a": f"{a}{round_number}", "b": b}
            if number % 10 == 9:
                yield _WRONG[number // 10 % len(_WRONG)]
            elif number % 100 == 50:
                yield request("/similarity", {"pairs": [one] * 3 + [{"a": b, "b": a}] * 17, "explain": True})
            else:
                path, texts = ("/embed", "/parse")[number % 2], {"texts": [one["a"], b]}
                yield request("/similarity", one) if number % 4 else request(path, texts)


_WRONG = [
    request("/similarity", {"a": "", "b": "x"}),
    request("/similarity", {"a": "路" * 600, "b": "x"}),
    request("/similarity", {"pairs": []}),
    request("/similarity", {"a": "\0", "b": 5, "c": None}),
    request("/parse", {"texts": ["🙂"]}),
    request("/embed", ["not", "an", "object"]),
    request("/nothing", {}),
    b'POST /parse HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n\xff\xfe{]\x00"',
    request("/similarity", json.dumps({"pairs": [{"a": "文三路", "b": 7}] * 50})),
]


async def _send(port: int, requests: Iterator[bytes], statuses: Counter[str]) -> None:
    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in requests:
            writer.write(body)
            try:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                statuses["lost"] += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            statuses[head.split(b" ", 2)[1].decode()] += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))


if __name__ == "__main__":
    sys.exit(main())
