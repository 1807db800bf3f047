"""The HTTP interface: FastAPI routes, their documentation, and the two pages for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mgeo.answering import Answering, Door, Endpoint, json_response
from mgeo.judging import Judgement
from mgeo.matcher import Matcher
from mgeo.metrics import Metrics
from mgeo.reading import understand
from mgeo.settings import Settings
from mgeo.state import State
from mgeo.wire import (
    Embeddings,
    Health,
    ManyPairs,
    OnePair,
    ParsedAddresses,
    Refusal,
    SimilarityResult,
    SimilarityResults,
    Texts,
    Version,
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'"
)
_MANY = re.compile(rb'"pairs"\s*:')  # only a key can look like this: inside a string the quotes are escaped
_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Refusal, "description": "The body did not arrive within the deadline"},
    413: {"model": Refusal, "description": "The body is too large"},
    422: {"model": Refusal, "description": "The body does not say what it should; names field and limit"},
    429: {"model": Refusal, "description": "Too much work is waiting; see Retry-After"},
    503: {"model": Refusal, "description": "Not ready; see message"},
    504: {"model": Refusal, "description": "Not finished within the deadline"},
}


def create_app(settings: Settings, state: State, lifespan: Lifespan | None = None) -> Door:
    """The service around *state*; whoever runs it makes the state become ready (see `mgeo.server`)."""
    api = FastAPI(
        title="MGeo",
        version="1",
        summary="Compares, embeds and parses Chinese addresses",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    metrics = Metrics(state)
    answering = Answering(
        state, metrics, deadline_s=settings.serving.deadline_s, log_addresses=settings.logging.addresses
    )
    endpoints = _add_questions(api, answering)
    _add_operations(api, settings, state, metrics)
    _add_pages(api)
    _document_bodies(api)
    api.add_exception_handler(HTTPException, _no_such_thing)
    return Door(api, answering, endpoints)


async def _no_such_thing(request: Request, error: Exception) -> Response:  # noqa: ARG001 - a handler
    assert isinstance(error, HTTPException)
    refusal = Refusal(error=error.detail.lower().replace(" ", "_"), message=f"{error.detail}; see /docs")
    return json_response(error.status_code, refusal, dict(error.headers or {}))


async def similarity(matcher: Matcher, body: bytes) -> object:
    if not _MANY.search(body):
        one = understand(body, OnePair)
        return _result((await matcher.similarity([(one.a, one.b)], explained=one.explain))[0])
    many = understand(body, ManyPairs)
    pairs = [(pair.a, pair.b) for pair in many.pairs]
    return {"results": [_result(found) for found in await matcher.similarity(pairs, explained=many.explain)]}


def _result(judged: Judgement) -> dict[str, Any]:
    result: dict[str, Any] = {"score": judged.score, "verdict": judged.verdict}
    if judged.differences is not None:
        result["differences"] = [{"element": d.element, "a": d.a, "b": d.b} for d in judged.differences]
    return result


async def embed(matcher: Matcher, body: bytes) -> object:
    vectors = await matcher.embed(understand(body, Texts).texts)
    return {
        "embeddings": [vector.tolist() for vector in vectors],
        "dimension": matcher.model.engine.dimension,
        "model_version": matcher.model.version,
    }


async def parse(matcher: Matcher, body: bytes) -> object:
    return {"results": await matcher.parse(understand(body, Texts).texts)}


def _add_questions(app: FastAPI, answering: Answering) -> dict[str, Endpoint]:
    """The endpoints by name. Their routes are there for the document and for other methods: see `Door`."""
    questions = (
        (
            "similarity",
            similarity,
            SimilarityResults | SimilarityResult,
            "Compare one pair or many",
            (OnePair, ManyPairs),
        ),
        ("embed", embed, Embeddings, "Sentence embeddings of addresses", (Texts,)),
        ("parse", parse, ParsedAddresses, "Split addresses into their elements", (Texts,)),
    )
    endpoints = {name: answering.endpoint(name, work) for name, work, *_ in questions}
    for name, _, result, summary, bodies in questions:
        app.add_api_route(
            f"/{name}",
            endpoints[name],
            methods=["POST"],
            summary=summary,
            responses={200: {"model": result}, **_REFUSALS},
            response_class=Response,
            openapi_extra={"requestBody": _body(bodies)},
            operation_id=name,
        )
    return endpoints


def _body(models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    references = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _add_operations(app: FastAPI, settings: Settings, state: State, metrics: Metrics) -> None:
    def version() -> Version:
        model = state.matcher.model if state.matcher else None
        return Version(
            service="mgeo",
            revision=settings.build.revision,
            digest=settings.build.digest,
            release=settings.build.release,
            model_version=model.version if model else settings.model.version,
            engine=model.engine.name if model else settings.engine.name,
            device=model.engine.device if model else "",
        )

    async def healthz() -> Health:
        """Alive: the process answers. Says nothing about the model."""
        return Health(status="alive")

    async def ready() -> Response:
        """200 when the model is loaded and warm, else 503 with the reason."""
        status = 200 if state.phase == "ready" else 503
        return json_response(status, Health(status=state.phase, reason=state.reason))

    async def show_metrics() -> Response:
        return Response(metrics.page(version()), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def show_version() -> Version:
        return version()

    app.add_api_route("/healthz", healthz, summary="Alive?")
    unready: dict[int | str, dict[str, Any]] = {200: {"model": Health}, 503: {"model": Health}}
    app.add_api_route("/ready", ready, summary="Ready to answer?", responses=unready, response_class=Response)
    app.add_api_route("/version", show_version, summary="What is running here?")
    app.add_api_route("/metrics", show_metrics, summary="Prometheus metrics", response_class=Response)


def _add_pages(app: FastAPI) -> None:
    """Both pages carry everything they need: the service may run where there is no internet."""
    static = files("mgeo") / "static"
    for path, name in (("/", "compare.html"), ("/docs", "docs.html")):
        content = (static / name).read_text("utf-8")

        async def page(content: str = content) -> HTMLResponse:
            return HTMLResponse(content, headers={"Content-Security-Policy": _PAGE_POLICY})

        app.add_api_route(path, page, include_in_schema=False)


def _document_bodies(app: FastAPI) -> None:
    """Bodies are read by hand (limits, speed), so their schemas are added to the document by hand."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        _, schemas = models_json_schema(
            [(model, "validation") for model in (OnePair, ManyPairs, Texts)],
            ref_template="#/components/schemas/{model}",
        )
        document["components"]["schemas"] |= schemas["$defs"]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
