"""A server on this machine that takes commit statuses as the git hosts do, and notices as a chat service does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from slipway.webhooks.signatures import HostKind

TOKEN = "a-token-for-tests"


@dataclass(frozen=True)
class Dialect:
    """How one host takes a status: where its API is, what its path looks like, the header that proves who asks."""

    api: str
    path: str
    header: str
    value: str
    state: str
    link: str


_HUB = r"/repos/acme/toy/statuses/(?P<revision>[0-9a-f]{40})"
DIALECTS = {
    HostKind.GITHUB: Dialect("/github", _HUB, "Authorization", f"Bearer {TOKEN}", "state", "target_url"),
    HostKind.GITEA: Dialect("/gitea/api/v1", _HUB, "Authorization", f"token {TOKEN}", "state", "target_url"),
    HostKind.GITLAB: Dialect(
        "/gitlab/api/v4",
        r"/projects/acme%2Ftoy/statuses/(?P<revision>[0-9a-f]{40})",
        "PRIVATE-TOKEN",
        TOKEN,
        "state",
        "target_url",
    ),
    HostKind.BITBUCKET: Dialect(
        "/bitbucket/2.0",
        r"/repositories/acme/toy/commit/(?P<revision>[0-9a-f]{40})/statuses/build",
        "Authorization",
        f"Bearer {TOKEN}",
        "state",
        "url",
    ),
}


@dataclass(frozen=True)
class Told:
    """One status that a host took."""

    host: HostKind
    revision: str
    state: str
    link: str
    content: dict[str, Any]


@dataclass
class Listener:
    """What arrived, in order. `answers` are given before anything is taken: 503 is a host in trouble."""

    url: str = ""
    statuses: list[Told] = field(default_factory=list)
    notices: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"custom": [], "apprise": []})
    refused: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def api(self, kind: HostKind) -> str:
        """Where this host's API is."""
        return self.url + DIALECTS[kind].api

    def take(self, path: str, headers: dict[str, str], content: dict[str, Any]) -> int:
        """The status code of the answer."""
        if path.strip("/") in self.notices:
            self.notices[path.strip("/")].append(content)
            return 200
        if self.answers:
            return self.answers.pop(0)
        for kind, dialect in DIALECTS.items():
            found = re.fullmatch(re.escape(dialect.api) + dialect.path, path)
            if found and headers.get(dialect.header.lower()) == dialect.value:
                state, link = content[dialect.state], content[dialect.link]
                self.statuses.append(Told(kind, found["revision"], state, link, content))
                return 201
        self.refused.append(path)
        return 404


@contextmanager
def listening() -> Iterator[Listener]:
    """The server, while the block lasts."""
    heard = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status = heard.take(self.path, {name.lower(): value for name, value in self.headers.items()}, content)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
