"""The deliveries, for people and for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

_templates = Environment(
    loader=PackageLoader("deployments.webhook", "templates"), autoescape=select_autoescape(default=True)
)

_MEANINGS = {
    "pending": "waits to be sent to Prefect",
    "sent": "Prefect took it; not yet seen in its store",
    "delivered": "stored by Prefect",
    "failed": "given up; a replay tries again",
}


def as_json(delivery: dict[str, Any]) -> dict[str, Any]:
    """One delivery with its events, times in ISO 8601 UTC."""
    return {
        "id": delivery["id"],
        "received_at": _moment(delivery["received_at"]).isoformat(),
        "host": delivery["host"],
        "repository": delivery["repository"],
        "delivery_id": delivery["delivery_id"] or "",
        "state": delivery["state"],
        "reason": delivery["reason"],
        "repeats": delivery["repeats"],
        "events": [_event(event) for event in delivery["events"]],
    }


def _event(event: dict[str, Any]) -> dict[str, Any]:
    told = event["event"]
    delivered_at = event["delivered_at"]
    return {
        "event_id": str(event["event_id"]),
        "name": f"git.{told['kind']}",
        "ref": told["ref"],
        "before": told["before"],
        "after": told["after"],
        "forced": told["forced"],
        "sender": told["sender"],
        "state": event["state"],
        "reason": event["reason"],
        "attempts": event["attempts"],
        "delivered_at": _moment(delivered_at).isoformat() if delivered_at else None,
        "outcome": event["outcome"],
    }


def as_page(deliveries: list[dict[str, Any]], now: datetime) -> str:
    """The same as a page; every value from outside is escaped."""
    found = [as_json(delivery) | {"ago": _ago(now, delivery["received_at"])} for delivery in deliveries]
    older = found[-1]["id"] if found and found[-1]["id"] > 1 else None
    template = _templates.get_template("deliveries.html")
    return template.render(deliveries=found, older=older, now=now, meanings=_MEANINGS)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _ago(now: datetime, seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    age = max(0, int(now.timestamp() - seconds))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if age >= length:
            return f"{age // length} {unit} ago"
    return f"{age} s ago"
