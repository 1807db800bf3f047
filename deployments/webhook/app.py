"""The receiver: a delivery is verified, written to the ledger, then answered; nothing else while the host waits.

| answer | when                                                                                   |
|--------|----------------------------------------------------------------------------------------|
| 202    | accepted: written, and on its way to Prefect                                           |
| 200    | ignored: a ping, a duplicate, something that moves no code                             |
| 400    | the signature holds, the body does not: says what is wrong                             |
| 401    | no or no valid signature                                                               |
| 403    | a valid signature, but for a repository that is not on its list; same body as 401      |
| 408    | the body did not arrive in time                                                        |
| 413    | longer than the limit                                                                  |
| 503    | the ledger cannot be written now; the host tries again                                 |

The deliveries page and the replay action show and repeat what others pushed, so both ask for the admin token (HTTP
Basic, any user name, the token as the password: browsers ask for it). A replay is refused when another site's page asks
for it, since browsers would send the token along.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from deployments.webhook.configuration import Receiver
from deployments.webhook.metrics import Metrics
from deployments.webhook.page import as_json, as_page
from deployments.webhook.writer import LedgerBusy, LedgerWriter
from slipway.errors import LedgerError
from slipway.ledger.deliveries import create_tables, replay
from slipway.ledger.delivery_views import page
from slipway.webhooks.judgement import REFUSAL, Verdict, judge, refused
from slipway.webhooks.signatures import Headers, detect

logger = logging.getLogger(__name__)

BODY_DEADLINE_S = 10.0
LEDGER_DEADLINE_S = 8.0
"""Hosts give up after 10 s."""

_basic = HTTPBasic(realm="slipway deliveries")


class TooLong(Exception):
    """The body is longer than the limit; the rest of it was not read."""


def create_app(receiver: Receiver, engine: sa.Engine) -> FastAPI:
    """The receiver on one ledger."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        create_tables(engine)
        app.state.writer = LedgerWriter(engine)
        yield
        await asyncio.to_thread(app.state.writer.close)

    app = FastAPI(title="Slipway webhooks", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.receiver, app.state.engine, app.state.metrics = receiver, engine, Metrics(engine)
    # A plain route: hosts send in bursts, and FastAPI's parameter handling would do nothing here but cost.
    app.router.routes.append(Route("/hooks", receive, methods=["POST"]))
    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/metrics", metrics, methods=["GET"])
    admin = [Depends(admin_only)]
    app.add_api_route("/deliveries", deliveries_page, methods=["GET"], dependencies=admin, response_class=HTMLResponse)
    app.add_api_route("/api/deliveries", deliveries_json, methods=["GET"], dependencies=admin)
    app.add_api_route(
        "/deliveries/{delivery}/replay", replay_one, methods=["POST"], dependencies=[*admin, Depends(same_site_only)]
    )
    return app


async def receive(request: Request) -> Response:
    """Take one delivery, whatever its host."""
    started = time.perf_counter()
    response = await _receive(request)
    request.app.state.metrics.answered(response.status_code, time.perf_counter() - started)
    return response


async def _receive(request: Request) -> Response:
    receiver: Receiver = request.app.state.receiver
    writer: LedgerWriter = request.app.state.writer
    headers = _headers(request)
    try:
        # A request that no host would send is not worth reading.
        async with asyncio.timeout(BODY_DEADLINE_S):
            body = await _body(request, receiver.body_limit) if detect(headers) else b""
    except TooLong:
        writer.note(refused("longer than the limit", status=413))
        return _answer(413, {"detail": f"longer than {receiver.body_limit} bytes"}, close=True)
    except (ClientDisconnect, TimeoutError):
        return _answer(408, {"detail": "the body did not arrive in time"}, close=True)
    now = datetime.now(UTC)
    verdict = judge(headers, body, receiver.sources, now=now, window_s=receiver.replay_window_s)
    if verdict.status in (401, 403):
        writer.note(verdict)
        return _answer(verdict.status, {"detail": REFUSAL})
    return await _write(writer, verdict)


async def _write(writer: LedgerWriter, verdict: Verdict) -> Response:
    try:
        recorded = await asyncio.wait_for(writer.record(verdict), LEDGER_DEADLINE_S)
    except (LedgerBusy, TimeoutError):
        return _answer(503, {"detail": "the ledger is busy; try again"}, retry_after_s=5)
    if verdict.status == 400:
        return _answer(400, {"detail": verdict.answer, "delivery": recorded.id})
    status = 202 if recorded.state == "accepted" else 200
    return _answer(status, {"state": recorded.state, "reason": recorded.reason, "delivery": recorded.id})


def _answer(status: int, content: dict[str, Any], *, close: bool = False, retry_after_s: int = 0) -> JSONResponse:
    headers = {"connection": "close"} if close else {}
    if retry_after_s:
        headers["retry-after"] = str(retry_after_s)
    return JSONResponse(content, status, headers)


def _headers(request: Request) -> Headers:
    """By lower-case name; the first of a repeated header counts."""
    found: dict[str, bytes] = {}
    for name, value in request.headers.raw:
        found.setdefault(name.decode("latin-1").lower(), value)
    return found


async def _body(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise TooLong
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLong
        chunks.append(chunk)
    return b"".join(chunks)


def admin_only(request: Request, credentials: Annotated[HTTPBasicCredentials, Depends(_basic)]) -> None:
    """Let only the holder of the admin token through."""
    if not hmac.compare_digest(credentials.password.encode(), request.app.state.receiver.admin_token):
        raise HTTPException(401, "the admin token is needed", {"WWW-Authenticate": 'Basic realm="slipway deliveries"'})


def same_site_only(request: Request) -> None:
    """Refuse what a browser says comes from another site's page."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise HTTPException(403, "ask from the deliveries page itself")


def deliveries_page(request: Request, before: Annotated[int | None, Query(ge=1, lt=2**53)] = None) -> HTMLResponse:
    """The newest deliveries, for people."""
    with request.app.state.engine.connect() as connection:
        found = page(connection, before=before)
    csp = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    return HTMLResponse(as_page(found, datetime.now(UTC)), headers={"content-security-policy": csp})


def deliveries_json(
    request: Request,
    before: Annotated[int | None, Query(ge=1, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[dict[str, Any]]:
    """The newest deliveries, for programs."""
    with request.app.state.engine.connect() as connection:
        return [as_json(one) for one in page(connection, before=before, limit=limit)]


def replay_one(request: Request, delivery: int) -> Response:
    """Send a delivery's events to Prefect once more, under new event ids."""
    if not 0 < delivery < 2**53:
        raise HTTPException(404, "there is no such delivery")
    try:
        with request.app.state.engine.begin() as connection:
            count = replay(connection, delivery, now=datetime.now(UTC))
    except LedgerError as unknown:
        raise HTTPException(404, unknown.what) from unknown
    logger.info("delivery %d: %d events are sent once more", delivery, count)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/deliveries", status_code=303)
    return JSONResponse({"delivery": delivery, "events": count})


def healthz(request: Request) -> Response:
    """Alive, and able to read the ledger."""
    try:
        with request.app.state.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        return JSONResponse({"status": "the ledger cannot be read"}, 503)
    return JSONResponse({"status": "ok"})


def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    return Response(request.app.state.metrics.render(), media_type="text/plain; version=0.0.4")
