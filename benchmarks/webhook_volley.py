"""Signed, forged and replayed deliveries, and a client that fires them as a git host does: again without an answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

SECRET = secrets.token_hex(16)
REPOSITORY = "acme/mgeo"


@dataclass
class Answers:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    resent: int = 0
    known: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Shot:
    """One request: what it is, its headers, its body, and the delivery that must have been answered before it."""

    what: str
    headers: dict[str, str]
    body: bytes
    after: str = ""


def push_body(number: int) -> bytes:
    after = hashlib.sha1(str(number).encode()).hexdigest()
    commit = {"id": after, "message": "Mend the county table", "modified": ["docker/mgeo/model.py"] * 20}
    return json.dumps(
        {
            "ref": f"refs/heads/b{number}",
            "before": "a" * 40,
            "after": after,
            "forced": False,
            "repository": {
                "full_name": REPOSITORY,
                "clone_url": "https://github.com/acme/mgeo.git",
                "pushed_at": number,
            },
            "sender": {"login": "mina"},
            "commits": [commit] * 5,
            "head_commit": commit,
        }
    ).encode()


def shot(number: int, what: str = "valid") -> Shot:
    body = push_body(number)
    key = "a guess" if what == "forged" else SECRET
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    delivery = f"replay-{number}" if what == "replayed" else f"delivery-{number}"
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": delivery,
        "x-hub-signature-256": f"sha256={signature}",
    }
    return Shot(what, headers, body, f"delivery-{number}" if what == "replayed" else "")


def volley(count: int) -> list[Shot]:
    """`count` valid shots in order, with forgeries among them and replays well behind what they repeat."""
    shots: list[Shot] = []
    for number in range(count):
        shots.append(shot(number))
        if number % 10 == 3:
            shots.append(shot(count + number, "forged"))
        if number % 10 == 7 and number > 500:
            shots.append(shot(number - 400, "replayed"))
    return shots


async def fire(port: int, shots: list[Shot], connections: int) -> Answers:
    """Shoot everything over `connections` kept-alive connections."""
    answers, queue = Answers(), deque(shots)

    async def client() -> None:
        line = Line(port)
        while queue:
            await deliver(line, queue.popleft(), answers)

    await asyncio.gather(*(client() for _ in range(connections)))
    return answers


class Line:
    """One kept-alive HTTP/1.1 connection, as thin as can be: the client shares the machine with what it measures."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, one: Shot) -> tuple[int, dict[str, Any]]:
        """Status and JSON body of the answer. Raises `OSError` or `EOFError` when the connection breaks."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            lines = [f"{name}: {value}" for name, value in one.headers.items()]
            head = ["POST /hooks HTTP/1.1", "host: localhost", f"content-length: {len(one.body)}", *lines, "", ""]
            writer.write("\r\n".join(head).encode() + one.body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(answer.split("content-length: ")[1].split("\r\n")[0])
            return int(answer.split()[1]), json.loads(await reader.readexactly(length))
        except (OSError, EOFError):
            self._streams = None
            raise


async def deliver(line: Line, one: Shot, answers: Answers) -> None:
    while one.after and one.after not in answers.known:
        await asyncio.sleep(0.05)
    while True:
        started = time.perf_counter()
        try:
            status, content = await line.post(one)
        except (OSError, EOFError):
            answers.resent += 1
            await asyncio.sleep(random.uniform(0.2, 0.6))
            continue
        answers.seconds.append(time.perf_counter() - started)
        answers.statuses[f"{one.what}: {status} {content.get('state', content.get('detail'))}"] += 1
        if status != 503:
            answers.known.add(one.headers["x-github-delivery"])
            return
