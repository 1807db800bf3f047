"""Every bad body gets a 4xx that names the field and the limit; nothing gets a 5xx."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.service.helpers import running, stub_settings

GOOD = "文三路"
CASES: list[tuple[str, Any, int, str, Any]] = [
    ("/similarity", b"", 422, "body", None),
    ("/similarity", b"not json", 422, "body", None),
    ("/similarity", b"\xff\xfe{}", 422, "body", None),
    ("/similarity", '{"a": "文'.encode("gbk"), 422, "body", None),
    ("/similarity", b'{"a": "\\ud800", "b": "x"}', 422, "body", None),
    ("/similarity", b"[" * 100_000, 422, "body", None),
    ("/similarity", [], 422, "body", None),
    ("/similarity", {}, 422, "a", None),
    ("/similarity", {"a": GOOD}, 422, "b", None),
    ("/similarity", {"a": GOOD, "b": 88}, 422, "b", None),
    ("/similarity", {"a": GOOD, "b": None}, 422, "b", None),
    ("/similarity", {"a": GOOD, "b": [GOOD]}, 422, "b", None),
    ("/similarity", {"a": "", "b": GOOD}, 422, "a", 1),
    ("/similarity", {"a": "   ", "b": GOOD}, 422, "a", None),
    ("/similarity", {"a": "😀🏠", "b": GOOD}, 422, "a", None),
    ("/similarity", {"a": "文\0三路", "b": GOOD}, 422, "a", None),
    ("/similarity", {"a": "路" * 513, "b": GOOD}, 422, "a", 512),
    ("/similarity", {"a": GOOD, "b": GOOD, "c": GOOD}, 422, "c", None),
    ("/similarity", {"a": GOOD, "b": GOOD, "explain": "yes"}, 422, "explain", None),
    ("/similarity", {"pairs": []}, 422, "pairs", 1),
    ("/similarity", {"pairs": [{"a": GOOD, "b": GOOD}] * 1001}, 422, "pairs", 1000),
    ("/similarity", {"pairs": [{"a": GOOD, "b": GOOD}, {"a": GOOD, "b": ""}]}, 422, "pairs[1].b", 1),
    ("/similarity", {"pairs": [{"a": GOOD, "b": GOOD}] * 100_000}, 413, "body", 2 * 1024 * 1024),
    ("/similarity", b"x" * 10_000_000, 413, "body", 2 * 1024 * 1024),
    ("/embed", {"texts": []}, 422, "texts", 1),
    ("/embed", {"texts": [GOOD] * 2001}, 422, "texts", 2000),
    ("/embed", {"texts": GOOD}, 422, "texts", None),
    ("/parse", {"texts": [GOOD, {}]}, 422, "texts[1]", None),
]


@pytest.mark.parametrize(("path", "body", "status", "field", "limit"), CASES)
async def test_bad_body_is_refused_by_name(path: str, body: Any, status: int, field: str, limit: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with running() as (client, _):
        answer = await client.post(path, content=content)
    assert answer.status_code == status
    problem = answer.json()["problems"][0]
    assert problem["field"] == field
    assert problem.get("limit") == limit
    assert len(answer.content) < 5000


async def test_a_body_without_stated_length_is_cut_off_at_the_limit() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65536
            yield b"x" * 65536

    async with running() as (client, _):
        answer = await client.post("/similarity", content=endless())
    assert answer.status_code == 413
    assert sent <= 3 * 1024 * 1024


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def stuck() -> Any:
        yield b'{"a": '
        await asyncio.sleep(30)

    async with running(stub_settings(serving={"deadline_s": 0.1})) as (client, _):
        answer = await client.post("/similarity", content=stuck())
    assert answer.status_code == 408


async def test_every_wrong_field_is_listed() -> None:
    async with running() as (client, _):
        answer = await client.post("/similarity", json={"a": "", "b": 5, "c": 1})
    assert [p["field"] for p in answer.json()["problems"]] == ["a", "b", "c"]


async def test_the_refusal_does_not_repeat_the_address() -> None:
    async with running() as (client, _):
        answer = await client.post("/similarity", json={"a": "秘密路" * 200, "b": "秘密路"})
    assert "秘密" not in answer.text


@pytest.mark.parametrize("path", ["/similarity", "/embed", "/parse"])
async def test_get_is_not_a_way_to_ask(path: str) -> None:
    async with running() as (client, _):
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "method_not_allowed", "message": "Method Not Allowed; see /docs", "problems": []}


async def test_an_unknown_path_is_404() -> None:
    async with running() as (client, _):
        answer = await client.get("/nothing")
    assert answer.status_code == 404
    assert answer.json() == {"error": "not_found", "message": "Not Found; see /docs", "problems": []}
