"""Takes in all connections that wait, at once.

uvloop's own server takes in one per round of its loop. Under load a round takes long, and what hundreds of others ask
would wait in the kernel, where nobody sees it and nobody can refuse it in time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from mgeo.logs import say

_PAUSE_S = 1.0


class Listener:
    """What uvicorn needs of an `asyncio.Server`, for one bound socket that somebody else closes. For one event loop."""

    def __init__(self, bound: socket.socket, backlog: int, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = bound
        self._backlog = backlog
        self._protocol = protocol
        self._opening: set[asyncio.Task[object]] = set()
        self._open = True
        bound.setblocking(False)
        bound.listen(backlog)
        self._resume()

    def close(self) -> None:
        self._open = False
        self._loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._socket, self._take_in)

    def _take_in(self) -> None:
        for _ in range(self._backlog):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of file descriptors, most likely: the socket would stay readable
                say("no more connections", level=logging.ERROR, reason=str(error))
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_PAUSE_S, self._resume)
                return
            opening = self._loop.create_task(self._connect(connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # the client is gone already
            connection.close()
