"""A service in this process, with the stub engine unless told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from mgeo.api import create_app
from mgeo.model import Model, load_model
from mgeo.server import start_matcher
from mgeo.settings import Settings
from mgeo.state import State


def stub_settings(**sections: Any) -> Settings:
    base: dict[str, Any] = {"engine": {"name": "stub"}, "model": {"path": "/nowhere"}}
    return Settings.model_validate({**base, **sections})


@asynccontextmanager
async def running(
    settings: Settings | None = None, model: Model | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    """A ready service and a client for it; threads and processes end with the context."""
    settings = settings or stub_settings()
    state = State()
    matcher = start_matcher(settings, model or load_model(settings))
    state.becomes_ready(matcher)
    transport = httpx.ASGITransport(create_app(settings, state), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://mgeo") as client:
        yield client, state
    await matcher.stop()
