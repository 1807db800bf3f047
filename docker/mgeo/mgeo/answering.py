"""The path every question takes: gate, read, understand, work, answer; and what is counted and logged on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mgeo.logs import say, where
from mgeo.matcher import Matcher
from mgeo.metrics import Metrics
from mgeo.pace import Pace
from mgeo.problems import DeadlineExceeded, Overloaded, Stopping
from mgeo.reading import Refused, read_body
from mgeo.state import State
from mgeo.turns import Turns
from mgeo.wire import Refusal

Work = Callable[[Matcher, bytes], Coroutine[Any, Any, object]]
Endpoint = Callable[[Request], Awaitable[Response]]
_GONE = 499  # what proxies log when the client closed the connection; nobody is left to read it


class Answering:
    """Turns a *work* function into an endpoint."""

    def __init__(self, state: State, metrics: Metrics, *, deadline_s: float, log_addresses: bool) -> None:
        self._pace = Pace(deadline_s)
        self._turns = Turns(self._pace.patience_s)
        self._refused = 0
        self._told = 0.0
        self._deadline_s = deadline_s
        self._state = state
        self._metrics = metrics
        self._log_addresses = log_addresses

    def endpoint(self, name: str, work: Work) -> Endpoint:
        seconds = self._metrics.seconds.labels(name)
        answered = self._metrics.requests.labels(name, "200")

        async def in_turn(matcher: Matcher, body: bytes, arrived: float) -> object:
            await self._take_turn(arrived)
            return await work(matcher, body)

        async def answer(request: Request) -> Response:
            began, unseen = time.perf_counter(), self._turns.lag_s
            body = b""
            try:
                matcher = self._gate()
                async with asyncio.timeout(self._deadline_s):
                    body = await read_body(request.stream(), _announced(request.scope))
                self._pace.admit(len(body), unseen)
                with self._pace.inside_for(len(body)):
                    response = json_response(200, await self._in_time(request, in_turn(matcher, body, began - unseen)))
                answered.inc()
            except Exception as error:
                response = self._refuse(error)
                self._metrics.requests.labels(name, str(response.status_code)).inc()
            took = time.perf_counter() - began
            seconds.observe(took)
            self._log(name, response.status_code, took, body)
            return response

        return answer

    def _gate(self) -> Matcher:
        state = self._state
        if state.matcher is None:  # while draining, what still comes in is still answered
            raise Refused(503, Refusal(error=state.phase, message=state.reason), {"Retry-After": "1"})
        return state.matcher

    async def _take_turn(self, arrived: float) -> None:
        """Raises Overloaded when the turn comes too late, also when the deadline comes first: nothing was begun."""
        try:
            in_time = await self._turns.take(time.perf_counter() - arrived)
        except asyncio.CancelledError:
            in_time = False
            if time.perf_counter() - arrived <= self._pace.patience_s:
                raise
        if not in_time or time.perf_counter() - arrived > self._pace.patience_s:
            raise self._pace.refusal()

    def turned_away(self, name: str, size: int) -> Response | None:
        """The refusal, when there is too much work for *size* bytes more: known before a byte of the body is read."""
        matcher = self._state.matcher
        if matcher is None:
            return None
        try:
            self._pace.admit(size, self._turns.lag_s)
            matcher.batcher.admit(0)
        except Overloaded as error:
            self._metrics.requests.labels(name, "429").inc()
            self._tell_of_refusal()
            return self._refuse(error)
        return None

    def _tell_of_refusal(self) -> None:
        """One line per second at most: writing a line for each would cost more than the refusal."""
        self._refused += 1
        now = time.monotonic()
        if now - self._told >= 1:
            say("turned away", level=logging.WARNING, requests=self._refused)
            self._refused, self._told = 0, now

    async def _in_time(self, request: Request, work: Coroutine[Any, Any, object]) -> object:
        """The result of *work*; when the client leaves or the deadline passes, it is cancelled and leaves the queue."""
        task, leaving = asyncio.current_task(), asyncio.ensure_future(_disconnect(request))
        assert task
        left = _Left(task)
        leaving.add_done_callback(left)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await work
        except TimeoutError:
            raise DeadlineExceeded(f"not finished within {self._deadline_s:g} s") from None
        except asyncio.CancelledError:
            if not left.cancelled_work:
                raise
            task.uncancel()
            self._pace.forget()
            raise ClientDisconnect from None
        finally:
            left.task = None
            leaving.cancel()

    def _refuse(self, error: Exception) -> Response:
        refused = _as_refused(error)
        if refused is None:
            say("failed", level=logging.ERROR, error=type(error).__name__, where=where(error))
            refused = Refused(500, Refusal(error="internal", message="the service made a mistake; it is in its log"))
        if refused.status == _GONE:
            self._metrics.gone.inc()
        return json_response(refused.status, refused.refusal, refused.headers)

    def _log(self, endpoint: str, status: int, seconds: float, body: bytes) -> None:
        fields: dict[str, Any] = {"endpoint": endpoint, "status": status, "ms": round(seconds * 1000, 2)}
        if self._log_addresses:
            fields["body"] = body.decode("utf-8", "replace")
        say("request", level=logging.INFO if status < 500 else logging.WARNING, bytes=len(body), **fields)


class _Left:
    """Cancels *task*, as long as there is one, when the client is gone."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task: asyncio.Task[Any] | None = task
        self.cancelled_work = False

    def __call__(self, leaving: asyncio.Future[None]) -> None:
        if self.task and not leaving.cancelled():
            self.cancelled_work = True
            self.task.cancel()


class Door:
    """Turns requests away before anything is spent on them: an overload is when refusing has to be cheap.

    Whom it lets in goes straight to the endpoint of that name: middleware and a router cost more than a small answer.
    Everything else goes to *api*.
    """

    def __init__(self, api: ASGIApp, answering: Answering, endpoints: Mapping[str, Endpoint]) -> None:
        self.api = api
        self._answering = answering
        self._endpoints = {f"/{name}": (name, endpoint) for name, endpoint in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._endpoints.get(scope.get("path", "")) if scope.get("method") == "POST" else None
        if found is None:
            await self.api(scope, receive, send)
            return
        name, endpoint = found
        refusal = self._answering.turned_away(name, _announced(scope))
        response = refusal or await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def _announced(scope: Scope) -> int:
    """Bytes the body will have; 0 when the client does not say."""
    length = next((value for key, value in scope["headers"] if key == b"content-length"), b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def json_response(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(content, exclude_none=True), status, headers, "application/json")


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _as_refused(error: Exception) -> Refused | None:
    if isinstance(error, Refused):
        return error
    if isinstance(error, Overloaded):
        return Refused(429, Refusal(error="overloaded", message=str(error)), {"Retry-After": str(error.retry_after)})
    if isinstance(error, DeadlineExceeded):
        return Refused(504, Refusal(error="deadline", message=str(error)))
    if isinstance(error, Stopping):
        return Refused(503, Refusal(error="draining", message=str(error)), {"Retry-After": "1"})
    if isinstance(error, TimeoutError):
        return Refused(408, Refusal(error="slow", message="the body did not arrive within the deadline"))
    if isinstance(error, ClientDisconnect):
        return Refused(_GONE, Refusal(error="gone", message="the client left"))
    return None
