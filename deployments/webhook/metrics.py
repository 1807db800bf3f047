"""What Prometheus can ask the receiver."""

from __future__ import annotations

import time

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from slipway.ledger.delivery_views import counts, oldest_unsent


class _Ledger(Collector):
    """Read at scrape time, so that it is true across restarts and for the sender, too."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def collect(self) -> list[Metric]:
        rows = GaugeMetricFamily("slipway_webhook_ledger_rows", "Rows in the ledger.", labels=["table", "state"])
        with self._engine.connect() as connection:
            for (table, state), count in counts(connection).items():
                rows.add_metric([table, state], count)
            oldest = oldest_unsent(connection)
        age = GaugeMetricFamily(
            "slipway_webhook_oldest_unsent_seconds",
            "Age of the oldest event that Prefect does not store yet; 0 when there is none.",
            value=max(0.0, time.time() - oldest) if oldest else 0.0,
        )
        return [rows, age]


class Metrics:
    """The receiver's counters; labels come from fixed sets, never from a delivery."""

    def __init__(self, engine: sa.Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Ledger(engine))
        self._answers = Counter(
            "slipway_webhook_answers_total", "Answered deliveries.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "slipway_webhook_answer_seconds",
            "From the first byte of a delivery to its answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )

    def answered(self, status: int, seconds: float) -> None:
        """Count one delivery."""
        self._answers.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)
