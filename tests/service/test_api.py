"""What the service answers when asked properly."""

from __future__ import annotations

import json
import logging

import pytest

from tests.service.helpers import running, stub_settings

A, B = "北京市朝阳区建国路88号", "北京朝阳建外88号"


async def test_one_pair_gets_score_and_verdict() -> None:
    async with running() as (client, _):
        answer = await client.post("/similarity", json={"a": A, "b": B})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"score", "verdict"}
    assert 0 <= body["score"] <= 1
    assert body["verdict"] in ("match", "partial", "different")


async def test_equal_addresses_score_one() -> None:
    async with running() as (client, _):
        answer = await client.post("/similarity", json={"a": A, "b": A})
    assert answer.json() == {"score": 1.0, "verdict": "match"}


async def test_many_pairs_keep_their_order() -> None:
    singles, pairs = [], [{"a": A, "b": f"{A}{i}号楼" * (i % 4 + 1)} for i in range(60)]
    async with running() as (client, _):
        together = (await client.post("/similarity", json={"pairs": pairs})).json()["results"]
        singles = [(await client.post("/similarity", json=pair)).json() for pair in pairs]
    assert together == singles


async def test_the_word_pairs_inside_an_address_is_still_one_pair() -> None:
    async with running() as (client, _):
        answer = await client.post("/similarity", json={"a": '"pairs": 1', "b": "pairs"})
    assert answer.status_code == 200


async def test_the_order_of_keys_does_not_matter() -> None:
    async with running() as (client, _):
        answer = await client.post("/similarity", content=json.dumps({"explain": True, "pairs": [{"a": A, "b": B}]}))
    assert answer.status_code == 200
    assert answer.json()["results"][0]["differences"]


async def test_explain_names_the_differing_elements() -> None:
    async with running() as (client, _):
        body = {"a": "文三路88号2号楼", "b": "文三路88号3号楼", "explain": True}
        answer = await client.post("/similarity", json=body)
    assert answer.json()["differences"] == [{"element": "building", "a": "2号楼", "b": "3号楼"}]


async def test_embeddings_have_length_one_and_keep_order() -> None:
    async with running() as (client, state):
        body = (await client.post("/embed", json={"texts": [A, B, A]})).json()
        assert state.matcher is not None
        assert body["dimension"] == state.matcher.model.engine.dimension
    first, second, third = body["embeddings"]
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-4)
    assert first == third != second


async def test_parse_splits_an_address() -> None:
    async with running() as (client, _):
        (found,) = (await client.post("/parse", json={"texts": ["中关村大街1号2号楼3单元"]})).json()["results"]
    assert (found["road"], found["number"], found["building"], found["unit"]) == ("中关村大街", "1号", "2号楼", "3单元")


async def test_version_names_what_is_running() -> None:
    build = {"revision": "abc123", "digest": "sha256:def", "release": "r7"}
    async with running(stub_settings(build=build)) as (client, _):
        answer = (await client.get("/version")).json()
    assert answer == {
        "service": "mgeo",
        **build,
        "model_version": "stub",
        "engine": "stub",
        "device": "cpu",
    }


async def test_repeated_addresses_are_encoded_once_and_counted() -> None:
    async with running() as (client, state):
        for _ in range(3):
            await client.post("/similarity", json={"a": A, "b": B})
        page = (await client.get("/metrics")).text
        assert state.matcher is not None
        assert state.matcher.batcher.counts.texts == 2
    assert "mgeo_cache_hits_total 4.0" in page
    assert "mgeo_cache_misses_total 2.0" in page


async def test_a_full_cache_forgets_the_oldest() -> None:
    serving = {"cache_entries": 2}
    async with running(stub_settings(serving=serving)) as (client, state):
        await client.post("/embed", json={"texts": ["一", "二", "三", "四"]})
        assert state.matcher is not None
        assert len(state.matcher.vectors) == 2


async def test_metrics_count_requests_batches_and_build() -> None:
    async with running(stub_settings(build={"revision": "abc123"})) as (client, _):
        await client.post("/similarity", json={"a": A, "b": B})
        await client.post("/similarity", json={"a": A})
        page = (await client.get("/metrics")).text
    assert 'mgeo_requests_total{endpoint="similarity",status="200"} 1.0' in page
    assert 'mgeo_requests_total{endpoint="similarity",status="422"} 1.0' in page
    assert 'mgeo_request_seconds_count{endpoint="similarity"} 2.0' in page
    assert "mgeo_batch_tokens_count 1.0" in page
    assert "mgeo_queue_tokens 0.0" in page
    assert 'revision="abc123"' in page


class _Kept(logging.Handler):
    """Keeps what is logged, whatever other tests of this process made of its logging."""

    def __init__(self, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.text = ""
        monkeypatch.setattr(logger, "handlers", [self])
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger.manager, "disable", 0)

    def emit(self, record: logging.LogRecord) -> None:
        self.text += str(record.__dict__)


@pytest.mark.parametrize("wanted", [False, True])
async def test_addresses_are_not_logged_unless_switched_on(
    wanted: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mgeo")
    kept = _Kept(logging.getLogger("mgeo"), monkeypatch)
    async with running(stub_settings(logging={"addresses": wanted})) as (client, _):
        await client.post("/similarity", json={"a": A, "b": B})
    assert "similarity" in kept.text
    assert (A in kept.text) == wanted


async def test_a_draining_service_is_not_ready_but_still_answers_what_comes_in() -> None:
    async with running() as (client, state):
        assert (await client.get("/ready")).json() == {"status": "ready", "reason": ""}
        state.drains()
        assert (await client.get("/ready")).status_code == 503
        assert (await client.post("/similarity", json={"a": A, "b": B})).status_code == 200


async def test_the_openapi_document_describes_bodies_answers_and_refusals() -> None:
    async with running() as (client, _):
        document = (await client.get("/openapi.json")).json()
    assert set(document["paths"]) == {"/similarity", "/embed", "/parse", "/healthz", "/ready", "/version", "/metrics"}
    post = document["paths"]["/similarity"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"]["oneOf"] == [
        {"$ref": "#/components/schemas/OnePair"},
        {"$ref": "#/components/schemas/ManyPairs"},
    ]
    assert {"200", "413", "422", "429", "503", "504"} <= set(post["responses"])
    assert document["components"]["schemas"]["ManyPairs"]["properties"]["pairs"]["maxItems"] == 1000


async def test_the_pages_fetch_nothing_from_elsewhere() -> None:
    async with running() as (client, _):
        for path in ("/", "/docs"):
            page = await client.get(path)
            assert page.status_code == 200
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert 'src="http' not in page.text
            assert "@import" not in page.text
