"""The evaluation report: one JSON value, and the same as a page for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from mgeo.scoring.scorer import Thresholds
from numpy.typing import NDArray

from training.evaluate import Metrics, by_slice, worst
from training.pair import Pair


def make_report(
    metrics: Metrics, pairs: Sequence[Pair], scores: NDArray[np.float32], thresholds: Thresholds
) -> dict[str, Any]:
    """Whole, per region, per perturbation, worst examples."""
    return {
        "overall": asdict(metrics),
        "thresholds": {"match": thresholds.match, "partial": thresholds.partial},
        "regions": by_slice(pairs, scores, thresholds, lambda p: (p.region or "unknown",)),
        "perturbations": by_slice(pairs, scores, thresholds, lambda p: p.perturbations or ("unknown",)),
        "worst": worst(pairs, scores),
    }


def as_markdown(report: dict[str, Any]) -> str:
    cuts = report["thresholds"]
    parts = [
        "# Evaluation",
        f"Scores from {cuts['match']:.3f} are a match, from {cuts['partial']:.3f} partial.",
        _table({"all": report["overall"]}, "pairs"),
        "## Per region",
        _table(report["regions"], "region"),
        "## Per perturbation",
        _table(report["perturbations"], "perturbation"),
        "## Worst examples",
        "| a | b | label | score |\n|---|---|---|---|\n"
        + "\n".join(f"| {_cell(w['a'])} | {_cell(w['b'])} | {w['label']} | {w['score']} |" for w in report["worst"]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: dict[str, dict[str, Any]], first: str) -> str:
    if not rows:
        return "Too few pairs for slices."
    names = list(next(iter(rows.values())))
    head = f"| {first} | " + " | ".join(n.replace("_", " ") for n in names) + " |\n|" + "---|" * (len(names) + 1)
    return "\n".join(
        [head, *(f"| {_cell(k)} | " + " | ".join(str(v[n]) for n in names) + " |" for k, v in rows.items())]
    )


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
