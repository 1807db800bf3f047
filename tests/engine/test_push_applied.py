"""Deployments, triggers and automations in a real server: there once, however often they are applied."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from deployments.automations import wanted
from deployments.installation import Installation
from tests.engine.conftest import Harness

pytestmark = pytest.mark.engine

_OWN = {"id", "created", "updated", "deployment_id", "concurrency_limit_id", "version_id", "last_polled", "status"}


def everything() -> dict[str, list[Any]]:
    """What the server holds of ours, without ids and times."""

    async def ask() -> dict[str, list[Any]]:
        async with get_client() as client:
            return {
                "deployments": [_bare(one) for one in await client.read_deployments()],
                "automations": [_bare(one) for one in await client.read_automations()],
            }

    return {kind: sorted(found, key=str) for kind, found in asyncio.run(ask()).items()}


def _bare(model: Any) -> Any:
    return _without_own(model.model_dump(mode="json"))


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_own(item) for key, item in value.items() if key not in _OWN}
    return sorted((_without_own(item) for item in value), key=str) if isinstance(value, list) else value


def test_applying_twice_changes_nothing(harness: Harness) -> None:
    before = everything()
    assert {one["name"] for one in before["deployments"]} >= {"ship", "rebuild", "poll", "pull-request", "cleanup"}
    assert {one.name for one in wanted()} <= {one["name"] for one in before["automations"]}
    (harness.workshop.settings.home / "run" / "deployed").unlink()
    Installation(harness.workshop).up(print)
    after = everything()
    for kind, found in before.items():
        assert after[kind] == found, kind
