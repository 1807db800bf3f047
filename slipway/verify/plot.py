"""The picture of a benchmark: latency curves and throughput, before and now. Pure: bytes out, no display, no file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from slipway.verify.report import BenchmarkReport
from slipway.verify.samples import Samples

_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")
_BEYOND = 10


def plot_png(report: BenchmarkReport, before: BenchmarkReport | None = None) -> bytes:
    """A PNG: how many requests took how long at each concurrency (dashed: before), and pairs per second."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    latency, throughput = figure.subplots(1, 2, width_ratios=(2, 1))
    _draw_latency(latency, report, before)
    _draw_throughput(throughput, report, before)
    figure.suptitle(report.machine, fontsize=9)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _draw_latency(axes: Any, report: BenchmarkReport, before: BenchmarkReport | None) -> None:
    earlier = {one.concurrency: one for one in before.single} if before else {}
    for one, colour in zip(report.single, _COLOURS * len(report.single), strict=False):
        plural = "s" if one.concurrency > 1 else ""
        _draw_curve(axes, one, colour, "-", f"{one.concurrency} client{plural}")
        if one.concurrency in earlier:
            _draw_curve(axes, earlier[one.concurrency], colour, "--", "")
    if not any(len(line.get_xdata()) for line in axes.lines):
        axes.text(0.5, 0.5, "too few samples for a curve", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_yticks([1, 0.5, 0.05, 0.01], ["100%", "50%", "5%", "1%"])
    axes.set_ylabel("share of requests slower than this")
    axes.set_xlabel("milliseconds" + (" (dashed: previous release)" if earlier else ""))
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8, frameon=False)


def _draw_curve(axes: Any, one: Samples, colour: str, style: str, label: str) -> None:
    """Only as far into the tail as ten samples reach: beyond, the line would be noise."""
    values = np.sort(np.asarray(one.latencies_s)) * 1000
    shown = max(len(values) - _BEYOND, 0)
    share = 1 - np.arange(len(values)) / max(len(values), 1)
    axes.plot(values[:shown], share[:shown], color=colour, linestyle=style, linewidth=1.5, label=label or None)


def _draw_throughput(axes: Any, report: BenchmarkReport, before: BenchmarkReport | None) -> None:
    bars = [(_bar_name(one), one) for one in (*report.single, *([report.batched] if report.batched else []))]
    earlier = {_bar_name(one): one for one in (*before.single, before.batched) if one} if before else {}
    rows = np.arange(len(bars))
    found = axes.barh(rows, [one.pairs_per_s for _, one in bars], height=0.6, color=_COLOURS[0])
    axes.bar_label(found, fmt="%.0f", fontsize=8, padding=3)
    old = [(row, earlier[name].pairs_per_s) for row, (name, _) in zip(rows, bars, strict=True) if name in earlier]
    for row, value in old:
        axes.plot([value, value], [row - 0.4, row + 0.4], color="black", linewidth=2)
    axes.set_yticks(rows, [name for name, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xlabel("pairs per second" + ("\n(black mark: previous release)" if old else ""))
    axes.spines[["top", "right"]].set_visible(False)


def _bar_name(one: Samples) -> str:
    return f"{one.concurrency} x {one.pairs_per_request}"
