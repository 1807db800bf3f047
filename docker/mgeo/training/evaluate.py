"""How good scores are: ranking, three-class decision, calibration; whole and by slice."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from mgeo.scoring.scorer import Thresholds
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from training.forest import best_thresholds
from training.pair import Pair

Scores = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Over *count* pairs; an AUC is nan where one side of it is empty. `macro_f1` uses the model's own thresholds,
    `macro_f1_tuned` the best ones for these pairs (an upper bound, for comparison with figures found that way)."""

    count: int
    related_auc: float
    exact_auc: float
    macro_f1: float
    macro_f1_tuned: float
    calibration_error: float


def measure(scores: Scores, labels: Labels, thresholds: Thresholds) -> Metrics:
    return Metrics(
        len(labels),
        auc(scores, labels >= 1),
        auc(scores, labels >= 2),
        macro_f1(scores, labels, thresholds),
        macro_f1(scores, labels, best_thresholds(scores, labels)),
        calibration_error(scores, labels),
    )


def auc(scores: Scores, positive: NDArray[np.bool_]) -> float:
    if positive.all() or not positive.any():
        return float("nan")
    return round(float(roc_auc_score(positive, scores)), 4)


def grades(scores: Scores, thresholds: Thresholds) -> Labels:
    return (scores >= thresholds.partial).astype(np.int64) + (scores >= thresholds.match)


def macro_f1(scores: Scores, labels: Labels, thresholds: Thresholds) -> float:
    return round(
        float(f1_score(labels, grades(scores, thresholds), average="macro", labels=[0, 1, 2], zero_division=0)), 4
    )


def calibration_error(scores: Scores, labels: Labels, bins: int = 10) -> float:
    """Expected calibration error: mean gap between score and mean grade / 2 over *bins* equal slices of 0..1."""
    which = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [
        np.count_nonzero(which == b) * abs(float(scores[which == b].mean()) - float(labels[which == b].mean()) / 2)
        for b in range(bins)
        if (which == b).any()
    ]
    return round(float(sum(gaps)) / len(labels), 4)


def by_slice(
    pairs: Sequence[Pair],
    scores: Scores,
    thresholds: Thresholds,
    key: Callable[[Pair], Sequence[str]],
    least: int = 100,
) -> dict[str, dict[str, Any]]:
    """Metrics per value of *key*, for values with at least *least* pairs."""
    rows: dict[str, list[int]] = {}
    for i, pair in enumerate(pairs):
        for value in key(pair):
            rows.setdefault(value, []).append(i)
    labels = labels_of(pairs)
    return {
        value: asdict(measure(scores[found], labels[found], thresholds))
        for value, found in sorted(rows.items())
        if len(found) >= least
    }


def labels_of(pairs: Sequence[Pair]) -> Labels:
    return np.array([p.label for p in pairs], np.int64)


def worst(pairs: Sequence[Pair], scores: Scores, count: int = 20) -> list[dict[str, Any]]:
    """The pairs whose score lies farthest from their grade."""
    order = np.argsort(-np.abs(scores - labels_of(pairs) / 2), kind="stable")[:count]
    return [
        {"a": pairs[i].a, "b": pairs[i].b, "label": pairs[i].label, "score": round(float(scores[i]), 3)} for i in order
    ]
