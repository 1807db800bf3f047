"""Whatever comes in, nothing goes out as a 5xx, nothing hangs, and every answer is what the document promises."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mgeo.api import create_app
from mgeo.model import load_model
from mgeo.server import start_matcher
from mgeo.state import State
from schemathesis.checks import CHECKS

from tests.service.helpers import running, stub_settings

PATHS = ("/similarity", "/embed", "/parse")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
texts = (
    st.text(max_size=600) | st.text("北京市路街号楼东西南北0123456789-，（）〇零一二三 \t\n", max_size=80) | anything
)
shaped = st.fixed_dictionaries(
    {},
    optional={
        "a": texts,
        "b": texts,
        "explain": st.booleans() | anything,
        "pairs": st.lists(st.fixed_dictionaries({}, optional={"a": texts, "b": texts, "c": anything}), max_size=4)
        | anything,
        "texts": st.lists(texts, max_size=4) | anything,
    },
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A synchronous client of a service on a loop of its own, so that hypothesis can drive it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = running()
    service, _ = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)

    class Bridge(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            sent = service.request(request.method, request.url.path, content=request.read(), headers=request.headers)
            answer = asyncio.run_coroutine_threadsafe(sent, loop).result(20)
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    with httpx.Client(transport=Bridge(), base_url="http://mgeo") as bridged:
        yield bridged
    asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def check(answer: httpx.Response) -> None:
    assert answer.status_code in (200, 413, 422)
    if answer.status_code != 200:
        body = answer.json()
        assert body["problems"]
        assert all(problem["field"] and problem["message"] for problem in body["problems"])


fuzz = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@fuzz
@given(path=st.sampled_from(PATHS), body=shaped | anything)
def test_any_json_is_answered_or_refused_by_name(client: httpx.Client, path: str, body: Any) -> None:
    check(client.post(path, content=json.dumps(body).encode("utf-8", "surrogatepass")))


@fuzz
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=300))
def test_any_bytes_are_refused_by_name(client: httpx.Client, path: str, body: bytes) -> None:
    check(client.post(path, content=body))


@fuzz
@given(a=st.text(min_size=1, max_size=512), b=st.text(min_size=1, max_size=512))
def test_any_two_texts_are_judged_within_the_promise(client: httpx.Client, a: str, b: str) -> None:
    answer = client.post("/similarity", content=json.dumps({"a": a, "b": b, "explain": True}).encode())
    check(answer)
    if answer.status_code == 200:
        assert 0 <= answer.json()["score"] <= 1
        assert answer.json()["verdict"] in ("match", "partial", "different")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The same service on a real socket: schemathesis speaks HTTP."""
    config, state = stub_settings(), State()
    server = uvicorn.Server(uvicorn.Config(create_app(config, state), port=0, log_config=None))

    async def serve() -> None:
        state.becomes_ready(start_matcher(config, load_model(config)))
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def api_schema(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


OPERATIONS = [("POST", path) for path in PATHS] + [("GET", p) for p in ("/healthz", "/ready", "/version", "/metrics")]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_keeps_its_document(api_schema: Any, method: str, path: str) -> None:
    names = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
    checks = CHECKS.get_by_names(names)

    @settings(fuzz, max_examples=100)
    @given(case=api_schema[path][method].as_strategy())
    def keeps_it(case: Any) -> None:
        case.call_and_validate(checks=checks, timeout=20)

    keeps_it()
