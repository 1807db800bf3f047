"""A lean HTTP/1.1 client for measuring.

A full client spends about as long on a request as a small model does on an answer, and on a machine with two cores it
takes that time from the service it measures. This one sends bytes that were made beforehand and reads just enough.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from slipway.errors import UserError

_LIMIT = 2**20
_BODILESS = (204, 304)


class BrokenAnswer(Exception):
    """The answer is not HTTP, or it ended early."""


@dataclass(frozen=True)
class Target:
    """Where requests go."""

    host: str
    port: int
    tls: bool
    path: str

    @classmethod
    def of(cls, url: str, path: str) -> Target:
        """`url` is the service's (`http://host:port`), `path` the endpoint's."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"{url!r} is no service URL", next_step="give it as http://host:port")
        tls = parts.scheme == "https"
        full = parts.path.rstrip("/") + "/" + path.lstrip("/")
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls, full)

    def request(self, payload: object | None, *, keep_alive: bool = True) -> bytes:
        """The bytes of a POST of `payload` as JSON, or of a GET when it is None."""
        body = b"" if payload is None else json.dumps(payload, ensure_ascii=False).encode()
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"{'GET' if payload is None else 'POST'} {self.path} HTTP/1.1",
            f"Host: {host}:{self.port}",
            "Accept: */*",
            f"Connection: {'keep-alive' if keep_alive else 'close'}",
        ]
        if payload is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Connection:
    """One connection; `usable` until the server closes it or an answer breaks off."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    usable: bool = True

    @classmethod
    async def open(cls, target: Target) -> Self:
        """Connect; OSError when nobody listens."""
        return cls(
            *await asyncio.open_connection(target.host, target.port, ssl=True if target.tls else None, limit=_LIMIT)
        )

    async def exchange(self, request: bytes) -> int:
        """Send and read the whole answer; returns its status. OSError or `BrokenAnswer` when there is none."""
        self.usable = False
        try:
            self.writer.write(request)
            await self.writer.drain()
            status, headers = _head(await self.reader.readuntil(b"\r\n\r\n"))
            await self._body(status, headers)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as broken:
            raise BrokenAnswer(f"the answer broke off ({type(broken).__name__})") from broken
        self.usable = headers.get("connection", "").lower() != "close" and _ends_by_itself(status, headers)
        return status

    @property
    def is_stale(self) -> bool:
        """Whether the server closed it while it was idle; every pool looks before it uses a connection again."""
        return not self.usable or self.reader.at_eof() or self.writer.is_closing()

    def close(self) -> None:
        """Hang up."""
        self.usable = False
        self.writer.close()

    async def _body(self, status: int, headers: dict[str, str]) -> None:
        if status in _BODILESS:
            return
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                await self.reader.readexactly(size + 2)
            while await self.reader.readuntil(b"\r\n") != b"\r\n":  # trailers
                pass
        elif "content-length" in headers:
            await self.reader.readexactly(int(headers["content-length"]))
        else:
            await self.reader.read()


def _ends_by_itself(status: int, headers: dict[str, str]) -> bool:
    """Whether the end of the body shows without the connection being closed."""
    framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
    return framed or status in _BODILESS


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    if not protocol.startswith("HTTP/1."):
        raise BrokenAnswer(f"the answer is not HTTP/1: {first[:60]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers
