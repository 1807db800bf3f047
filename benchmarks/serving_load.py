"""A load generator light enough to share a small machine with what it measures: keep-alive connections, raw bytes."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from dataclasses import dataclass, field

Pair = tuple[str, str]


@dataclass
class Measured:
    """Answers per second and p99 (seconds) per number of clients, one entry per round."""

    rates: dict[int, list[float]] = field(default_factory=dict)
    p99s: dict[int, list[float]] = field(default_factory=dict)
    failed: int = 0
    answered: int = 0
    """All answers, the warm-up included."""
    cpu_s: float = 0.0
    """Processor seconds the server spent on them: comparable even where other programs share the machine."""


def make_pairs(count: int) -> list[Pair]:
    """Distinct pairs of address-like texts, about twenty tokens each; the same ones every time."""
    draw = random.Random(20)
    heads = [
        "北京市朝阳区",
        "上海市浦东新区",
        "广东省深圳市南山区",
        "浙江省杭州市西湖区",
        "四川省成都市武侯区",
        "武汉市",
    ]
    roads = ["建国路", "世纪大道", "科技园路", "中山北路", "人民南路", "文三路", "解放大道", "长江路"]
    tails = ["", "国贸大厦", "阳光小区南门", "2号楼3单元501室", "软件园B座", "第一人民医院"]

    def address(serial: int) -> str:
        return f"{draw.choice(heads)}{draw.choice(roads)}{serial}号{draw.choice(tails)}"

    return [(address(2 * i), address(2 * i + 1)) for i in range(count)]


async def closed_loop(port: int, requests_: list[bytes], clients: int, seconds: float, into: Measured) -> None:
    """A closed loop: every client sends its next pair when the answer to the last one is there."""
    requests = iter(requests_)
    took: list[float] = []
    begin = time.perf_counter() + 1.0  # one second to warm up
    end = begin + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            sent = time.perf_counter()
            if sent > end:
                break
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            now = time.perf_counter()
            if not head.startswith(b"HTTP/1.1 200"):
                into.failed += 1
            else:
                into.answered += 1
                if begin <= now <= end:
                    took.append(now - sent)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    into.rates.setdefault(clients, []).append(len(took) / seconds)
    into.p99s.setdefault(clients, []).append(sorted(took)[int(len(took) * 0.99)] if took else 0.0)


def request(path: str, body: object) -> bytes:
    data = json.dumps(body, ensure_ascii=False).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def _length(head: bytes) -> int:
    name = b"content-length:"
    start = head.lower().index(name) + len(name)
    return int(head[start : head.index(b"\r\n", start)])


def batch_gains(port: int, pairs: list[Pair]) -> list[float]:
    """Seconds for 100 single requests, one after the other on one connection, over seconds for one with 100 pairs."""
    gains = []
    for start in range(15_000, 15_000 + 15 * 200, 200):
        singles = [request("/similarity", {"a": a, "b": b}) for a, b in pairs[start : start + 100]]
        batch = {"pairs": [{"a": a, "b": b} for a, b in pairs[start + 100 : start + 200]]}
        gains.append(seconds_for(port, singles) / seconds_for(port, [request("/similarity", batch)]))
    return gains


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f}-{max(ratios):.2f})"


def seconds_for(port: int, requests: list[bytes]) -> float:
    async def send() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head.splitlines()[0].decode()}")
        took = time.perf_counter() - began
        writer.close()
        return took

    return asyncio.run(send())
