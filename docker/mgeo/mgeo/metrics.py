"""The numbers behind /metrics, in Prometheus form."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from mgeo import gpu
from mgeo.matcher import Matcher
from mgeo.state import State
from mgeo.wire import Version

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TOKENS = (8, 16, 32, 64, 128, 192, 256, 512, 1024, 2048)


class Metrics:
    """One registry per app, so that several apps can live in one process."""

    def __init__(self, state: State) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "mgeo_request_seconds",
            "Time from request to answer",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = Counter("mgeo_requests", "Answered requests", ["endpoint", "status"], registry=self.registry)
        self.gone = Counter("mgeo_client_disconnects", "Clients that left before the answer", registry=self.registry)
        self.batch_tokens = Histogram("mgeo_batch_tokens", "Tokens per batch", buckets=_TOKENS, registry=self.registry)
        self.registry.register(_Live(state))
        ProcessCollector(registry=self.registry)
        self._state = state

    def page(self, version: Version) -> bytes:
        if self._state.matcher:
            sizes = self._state.matcher.batcher.counts.batch_sizes
            for _ in range(len(sizes)):
                self.batch_tokens.observe(sizes.popleft())
        info = InfoMetricFamily("mgeo_build", "What is running here")
        info.add_metric([], version.model_dump())
        return generate_latest(self.registry) + generate_latest(_just(info))


class _Live(Collector):
    """Levels and totals that other parts keep anyway, read when somebody asks."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("mgeo_ready", "1 when ready to answer", value=float(self._state.phase == "ready"))
        if self._state.matcher:
            yield from _matcher_metrics(self._state.matcher)
        if use := gpu.current_use():
            yield GaugeMetricFamily("mgeo_gpu_utilisation_percent", "GPU utilisation", value=use.utilisation)
            yield GaugeMetricFamily("mgeo_gpu_memory_used_bytes", "GPU memory in use", value=use.memory_used)
            yield GaugeMetricFamily("mgeo_gpu_memory_total_bytes", "GPU memory", value=use.memory_total)


def _matcher_metrics(matcher: Matcher) -> Iterator[Metric]:
    counts, cache = matcher.batcher.counts, matcher.vectors
    yield GaugeMetricFamily("mgeo_queue_tokens", "Tokens waiting for the model", value=counts.queued_tokens)
    yield GaugeMetricFamily("mgeo_queue_wait_seconds", "Expected wait", value=matcher.batcher.waiting_s())
    yield CounterMetricFamily("mgeo_encoded_texts", "Texts the model encoded", value=counts.texts)
    yield CounterMetricFamily("mgeo_encoded_tokens", "Tokens the model encoded", value=counts.tokens)
    yield CounterMetricFamily("mgeo_padded_tokens", "The same with padding", value=counts.padded_tokens)
    yield CounterMetricFamily("mgeo_dropped_texts", "Texts dropped: client gone or deadline over", value=counts.dropped)
    yield CounterMetricFamily("mgeo_cache_hits", "Embeddings found in the cache", value=cache.hits)
    yield CounterMetricFamily("mgeo_cache_misses", "Embeddings not in the cache", value=cache.misses)
    yield GaugeMetricFamily("mgeo_cache_entries", "Embeddings in the cache", value=len(cache))
    if worker := matcher.worker:
        yield GaugeMetricFamily("mgeo_worker_up", "1 when the second process can work", value=float(bool(worker.pid)))
        yield CounterMetricFamily("mgeo_worker_pairs", "Pairs it worked out the features of", value=worker.pairs_done)


def _just(metric: Metric) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_One(metric))
    return registry


class _One(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric
