"""What a benchmark found: a value that is kept with the release, as a table and as a picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from slipway.markdown import table
from slipway.verify.samples import Samples
from slipway.verify.statistics import Change, Comparison, compare, overall, quantile, samples_needed

_QUANTILES = (0.5, 0.95, 0.99)
_COMPARED = (0.5, 0.95)
_DECISIVE = 0.5
_HEAD = ("clients", "pairs a request", "p50 ms", "p95 ms", "p99 ms", "pairs/s", "samples", "failures")
_MARKS = {
    Change.FASTER: "faster",
    Change.SLOWER: "**slower**",
    Change.SAME: "same",
    Change.INCONCLUSIVE: "inconclusive",
}


class BenchmarkReport(BaseModel):
    """One benchmark of one image on one machine kind; its JSON is what the ledger keeps.

    `single` holds one measurement per concurrency with a pair a request, `batched` one with many; memory and image
    size in MB (10^6 bytes), the image unpacked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    time_to_ready_s: NonNegativeFloat
    single: tuple[Samples, ...]
    batched: Samples | None = None
    rss_mb: NonNegativeFloat
    image_mb: NonNegativeFloat

    @property
    def failures(self) -> int:
        """Failed requests of all measurements."""
        return sum(one.failures for one in self._all)

    @property
    def _all(self) -> tuple[Samples, ...]:
        return (*self.single, *((self.batched,) if self.batched else ()))

    def to_markdown(self, versus: BenchmarkComparison | None = None) -> str:
        """Tables for people; with `versus`, the verdict against the previous release comes first."""
        facts = [
            ("machine", self.machine),
            ("time to ready", f"{self.time_to_ready_s:.2f} s"),
            ("resident memory", f"{self.rss_mb:.0f} MB"),
            ("image", f"{self.image_mb:.0f} MB"),
        ]
        measured = table(_HEAD, [_row(one) for one in self._all], numbers=_HEAD)
        return f"{_verdict(versus) if versus else ''}{table(('what', 'value'), facts)}\n{measured}"


class BenchmarkComparison(BaseModel):
    """The verdict against the previous release, and the comparisons it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: Change
    why: str
    parts: tuple[Comparison, ...] = ()


def compare_reports(
    before: BenchmarkReport | None, after: BenchmarkReport, *, tolerance: float = 0.05, confidence: float = 0.95
) -> BenchmarkComparison:
    """p50 and p95 at every concurrency both were measured at; the confidence holds for all of them together.

    Any of them can make the release slower; otherwise the medians decide, because a p95 is seldom certain. A quantile
    that has too few samples (p95 wants 200) is left out; if nothing is left, the verdict is inconclusive.
    """
    if before is None:
        return BenchmarkComparison(change=Change.INCONCLUSIVE, why="there is no earlier benchmark to compare with")
    if before.machine != after.machine:
        why = f"the previous release was measured on another machine kind ({before.machine})"
        return BenchmarkComparison(change=Change.INCONCLUSIVE, why=why)
    if before.failures or after.failures:
        why = f"requests failed (before: {before.failures}, now: {after.failures}), so latencies tell nothing"
        return BenchmarkComparison(change=Change.INCONCLUSIVE, why=why)
    earlier = {one.concurrency: one for one in before.single}
    planned = [
        (q, one, earlier[one.concurrency])
        for one in after.single
        if one.concurrency in earlier
        for q in _COMPARED
        if min(len(earlier[one.concurrency].latencies_s), len(one.latencies_s)) >= samples_needed(q)
    ]
    joint = 1 - (1 - confidence) / max(len(planned), 1)
    return _conclude([(q, _part(q, old, new, tolerance, joint)) for q, new, old in planned])


def _part(q: float, old: Samples, new: Samples, tolerance: float, confidence: float) -> Comparison:
    name = f"p{q * 100:g}, {new.concurrency} client{'s' if new.concurrency > 1 else ''}"
    return compare(old.rounds, new.rounds, q=q, tolerance=tolerance, confidence=confidence, name=name)


def _conclude(judged: Sequence[tuple[float, Comparison]]) -> BenchmarkComparison:
    parts = tuple(part for _, part in judged)
    slower = [part for part in parts if part.change is Change.SLOWER]
    decisive = slower or [part for q, part in judged if q == _DECISIVE]
    change = overall(part.change for part in decisive)
    first = next((part for part in decisive if part.change is change), None)
    why = f"{first.name}: {first.why}" if first else "too few samples at any concurrency measured both times"
    return BenchmarkComparison(change=change, why=why, parts=parts)


def _row(one: Samples) -> tuple[object, ...]:
    enough = [len(one.latencies_s) >= samples_needed(q) for q in _QUANTILES]
    cells = [
        f"{quantile(one.latencies_s, q) * 1000:.2f}" if ok else "too few"
        for q, ok in zip(_QUANTILES, enough, strict=True)
    ]
    rate = f"{one.pairs_per_s:.1f}"
    return (one.concurrency, one.pairs_per_request, *cells, rate, len(one.latencies_s), one.failures)


def _verdict(versus: BenchmarkComparison) -> str:
    verdict = f"Against the previous release: **{versus.change}** ({versus.why}).\n\n"
    if not versus.parts:
        return verdict
    rows = []
    for part in versus.parts:
        ratio, low, high = (f"{value:.3f}" if value else "?" for value in (part.ratio, part.low, part.high))
        rows.append((part.name, ratio, f"{low} to {high}", _MARKS[part.change]))
    head = ("latency", "now / before", "interval", "verdict")
    return f"{verdict}{table(head, rows, numbers=head[1:3])}\n"
