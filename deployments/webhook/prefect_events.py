"""Prefect's event store, as the sender sees it. No retries here: the sender owns them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.webhook.event_store import PrefectGone, PrefectRefused, PrefectSlow
from slipway.errors import PrefectUnavailable
from slipway.ledger.outbox import Outgoing
from slipway.webhooks.events import labels, payload

DEADLINE_S = 15.0
LARGEST_QUESTION = 50
"""Prefect returns at most this many events a page."""


class PrefectEvents:
    """The event store of the Prefect server at PREFECT_API_URL, or at `default_api` when that is not set."""

    def __init__(self, default_api: str) -> None:
        # Prefect's client would retry on its own and hide that the server had died in between; without an address it
        # would start a server of its own.
        api = PREFECT_API_URL.value() or default_api
        self._settings = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_URL: api})
        self._client: SyncPrefectClient

    def __enter__(self) -> PrefectEvents:
        self._settings.__enter__()
        self._client = get_client(httpx_settings={"timeout": DEADLINE_S}, sync_client=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._settings.__exit__(kind, error, at)

    def send(self, events: Sequence[Outgoing]) -> None:
        """Hand over events in one request."""
        self._post("/events", [as_prefect_event(one) for one in events])

    def stored(self, events: Sequence[Outgoing]) -> set[UUID]:
        """Ask for the events by id; clocks of two machines may differ, so the time range is generous."""
        found: set[UUID] = set()
        for start in range(0, len(events), LARGEST_QUESTION):
            some = events[start : start + LARGEST_QUESTION]
            moments = [datetime.fromtimestamp(one.received_at, tz=UTC) for one in some]
            occurred = {
                "since": _iso(min(moments) - timedelta(days=1)),
                "until": _iso(max(moments) + timedelta(days=1)),
            }
            question = {"id": {"id": [str(one.event_id) for one in some]}, "occurred": occurred}
            answer = self._post("/events/filter", {"filter": question, "limit": LARGEST_QUESTION}).json()
            found.update(UUID(event["id"]) for event in answer["events"])
        return found

    def _post(self, path: str, content: Any) -> httpx.Response:
        try:
            return self._client.request("POST", path, json=content)  # type: ignore[arg-type]
        except httpx.HTTPStatusError as answer:
            raise _from_status(answer.response) from answer
        except (httpx.ReadTimeout, httpx.WriteTimeout) as late:
            raise PrefectSlow(f"Prefect did not answer within {DEADLINE_S:.0f} s") from late
        except httpx.TransportError as gone:
            raise PrefectGone(f"Prefect cannot be reached: {type(gone).__name__}") from gone


def _from_status(answer: httpx.Response) -> PrefectUnavailable | PrefectRefused:
    if answer.status_code in (400, 413, 422):
        return PrefectRefused(f"Prefect answered {answer.status_code}", tail=answer.text[:300])
    if answer.status_code in (401, 403):
        return PrefectUnavailable("Prefect refused our credentials", next_step="set PREFECT_API_AUTH_STRING")
    return PrefectUnavailable(f"Prefect answered {answer.status_code}")


def as_prefect_event(outgoing: Outgoing) -> dict[str, Any]:
    """The event as Prefect's API takes it."""
    return {
        "id": str(outgoing.event_id),
        "event": outgoing.event.name,
        "occurred": _iso(datetime.fromtimestamp(outgoing.received_at, tz=UTC)),
        "resource": labels(outgoing.event),
        "payload": payload(outgoing.event),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat()
