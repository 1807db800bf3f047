"""`python3 -m mgeo.server`: answers /healthz at once, loads the model beside it, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI

from mgeo.api import Lifespan, create_app
from mgeo.batcher import Batcher
from mgeo.cpus import usable_cpus
from mgeo.listener import Listener
from mgeo.logs import say, set_up
from mgeo.matcher import Matcher
from mgeo.memory import settle_memory
from mgeo.model import Model, load_model
from mgeo.problems import ConfigError, MgeoError
from mgeo.settings import Settings, load_settings
from mgeo.state import State
from mgeo.worker import Worker


def main() -> int:
    try:
        settings = load_settings(None, os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    set_up(settings.logging.level)
    try:
        bound = _bound(settings.serving.host, settings.serving.port)
    except OSError as error:
        where = f"{settings.serving.host} port {settings.serving.port}"
        reason = str(error.strerror).partition(" (")[0]  # in brackets it says where, as we do
        print(f"cannot listen on {where}: {reason}; MGEO_HOST and MGEO_PORT choose another", file=sys.stderr)
        return 3
    state = State()
    config = uvicorn.Config(
        create_app(settings, state, _lifespan(settings, state)),
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,  # longer than routers keep idle connections: they close first, and no request is lost
        timeout_graceful_shutdown=settings.serving.drain_s,
    )
    Server(config, state).run([bound])
    return 0


def _bound(host: str, port: int) -> socket.socket:
    sixth = ":" in host
    family = socket.AF_INET6 if sixth else socket.AF_INET
    bound = socket.create_server((host, port), family=family, dualstack_ipv6=sixth)  # :: is every address, old and new
    say("listening", host=host, port=bound.getsockname()[1])
    return bound


class Server(uvicorn.Server):
    """Takes in connections as they come, and tells /ready about the coming end before uvicorn closes its socket."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        listeners = [Listener(each, self.config.backlog, self._protocol) for each in sockets or ()]
        self.servers = cast(list[asyncio.Server], listeners)  # all that uvicorn does with them is to close them

    def _protocol(self) -> asyncio.Protocol:
        """As in uvicorn's own `startup`."""
        kind = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        if self.should_exit:
            say("ended before all was answered", level=logging.WARNING, signal=sig)
            os._exit(128 + sig)  # at once, as asked: threads inside the model's library would turn an exit into a crash
        self._state.drains()
        say("draining", signal=sig)
        # not super(): it would raise the signal again after a clean shutdown, and the exit code would say "killed"
        self.should_exit = True


def _lifespan(settings: Settings, state: State) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(become_ready(settings, state))
        yield
        loading.cancel()
        if state.matcher:
            await state.matcher.stop()

    return lifespan


async def become_ready(settings: Settings, state: State) -> None:
    """Loads and warms the model, then opens the service; a failure stays readable at /ready."""
    try:
        model = await asyncio.to_thread(load_model, settings)
    except MgeoError as error:
        say("model failed", level=logging.ERROR, reason=str(error))
        state.fails(str(error))
        return
    matcher = start_matcher(settings, model)
    if model.degraded:
        say("degraded", level=logging.WARNING, reason=model.degraded)
    settle_memory()
    state.becomes_ready(matcher)
    say("ready", model_version=model.version, engine=model.engine.name, device=model.engine.device)


def start_matcher(settings: Settings, model: Model) -> Matcher:
    """Needs a running event loop."""
    batcher = Batcher(
        model.engine,
        batch_tokens=model.batch_tokens,
        queue_tokens=settings.serving.queue_tokens,
        deadline_s=settings.serving.deadline_s,
    )
    batcher.start()
    helps = model.scorer.forests and usable_cpus() > 1
    worker = Worker(model.folder, patience_s=settings.serving.deadline_s / 2) if helps else None
    return Matcher(model, batcher, worker, cache_entries=settings.serving.cache_entries)


if __name__ == "__main__":
    sys.exit(main())
