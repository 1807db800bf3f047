"""How many connections a busy service takes in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import uvicorn
import uvloop
from mgeo.server import Server
from mgeo.state import State
from starlette.types import Receive, Scope, Send

_CROWD = 200


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


def _after_startup(check: Callable[[Server, int], Awaitable[None]]) -> None:
    async def run() -> None:
        config = uvicorn.Config(_nothing, host="127.0.0.1", port=0, lifespan="off", log_config=None)
        server, bound = Server(config, State()), config.bind_socket()
        serving = asyncio.create_task(server.serve([bound]))
        while not server.started:
            await asyncio.sleep(0.01)
        await check(server, bound.getsockname()[1])
        server.should_exit = True
        await serving

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_a_crowd_of_connections_is_taken_in_within_a_few_rounds_of_the_loop() -> None:
    async def check(server: Server, port: int) -> None:
        with ExitStack() as stack:
            for _ in range(_CROWD):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(server.server_state.connections) == _CROWD

    _after_startup(check)


def test_after_the_end_nobody_is_taken_in() -> None:
    ports: list[int] = []

    async def check(_: Server, port: int) -> None:
        ports.append(port)

    _after_startup(check)
    with socket.socket() as late:
        assert late.connect_ex(("127.0.0.1", ports[0])) != 0
