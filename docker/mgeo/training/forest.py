"""Fit the pair scorer: two boosted forests with known directions, then thresholds."""

from typing import Any, Final

import numpy as np
from mgeo.scoring.features import DIRECTIONS
from mgeo.scoring.forest import Forest
from mgeo.scoring.scorer import Forests, Thresholds
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Scores = NDArray[np.floating[Any]]
PLATEAU: Final = 0.004
"""Loss of macro-F1 that is less than what another sample of pairs would change."""


def fit_forests(
    rows: NDArray[np.float32], labels: NDArray[np.int64], weights: NDArray[np.float64], seed: int
) -> Forests:
    """Forests for label >= 1 and label >= 2 from *rows* [n, features]."""
    return Forests(
        _fit(rows, labels >= 1, weights, seed),
        _fit(rows, labels >= 2, weights, seed),
    )


def _fit(rows: NDArray[np.float32], positive: NDArray[np.bool_], weights: NDArray[np.float64], seed: int) -> Forest:
    boosted = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.07,
        max_leaf_nodes=10,
        max_depth=7,
        min_samples_leaf=60,
        l2_regularization=5.0,
        monotonic_cst=list(DIRECTIONS.values()),
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1, "openmp"):  # sums over threads depend on how many there are
        return _plain(boosted.fit(rows, positive, sample_weight=weights))


def _plain(model: Any) -> Forest:
    trees = [stage[0].nodes for stage in model._predictors]
    sizes = [len(t) for t in trees]
    starts = np.cumsum([0, *sizes[:-1]])
    leaf = np.concatenate([t["is_leaf"] for t in trees]).astype(bool)
    own = np.arange(sum(sizes))
    offset = np.repeat(starts, sizes)
    return Forest(
        base=float(model._baseline_prediction[0, 0]),
        depth=max(int(t["depth"].max()) for t in trees),
        roots=starts.astype(np.int32),
        feature=np.where(leaf, 0, _joined(trees, "feature_idx")).astype(np.int32),
        threshold=np.where(leaf, 0.0, _joined(trees, "num_threshold")),
        left=np.where(leaf, own, _joined(trees, "left") + offset).astype(np.int32),
        right=np.where(leaf, own, _joined(trees, "right") + offset).astype(np.int32),
        value=np.where(leaf, np.round(_joined(trees, "value"), 6), 0.0),
    )


def _joined(trees: list[Any], field: str) -> NDArray[Any]:
    return np.concatenate([t[field].astype(np.float64) for t in trees])


def best_thresholds(scores: Scores, labels: NDArray[np.int64]) -> Thresholds:
    """The two cuts with the highest macro-F1 of different / partial / match."""
    ranked, cuts, f = _macro_f1s(scores, labels)
    i, j = np.unravel_index(int(np.argmax(f)), f.shape)
    return Thresholds(_cut(ranked, int(cuts[i])), _cut(ranked, int(cuts[j])))


def steady_thresholds(scores: Scores, labels: NDArray[np.int64]) -> Thresholds:
    """The middle of all cuts that lose no more than `PLATEAU` to the best: where these lie among them is chance."""
    ranked, cuts, f = _macro_f1s(scores, labels)
    good = f >= f.max() - PLATEAU
    return Thresholds(*(_middle(ranked, cuts[good.any(axis=other)]) for other in (1, 0)))


def _middle(ranked: Scores, cuts: NDArray[np.int64]) -> float:
    return (_cut(ranked, int(cuts[0])) + _cut(ranked, int(cuts[-1]))) / 2


def _macro_f1s(scores: Scores, labels: NDArray[np.int64]) -> tuple[Scores, NDArray[np.int64], NDArray[np.float64]]:
    """Scores from high to low; counts above a cut that are tried; macro-F1 [match cut, partial cut], -1 if crossed."""
    order = np.argsort(-scores, kind="stable")
    ranked, count = labels[order], len(labels)
    above = np.stack([np.concatenate([[0], np.cumsum(ranked == k)]) for k in (0, 1, 2)])
    total = np.maximum(above[:, -1], 1)
    cuts = np.unique((np.concatenate([np.linspace(0, 0.2, 101), np.linspace(0.2, 0.9, 141)]) * count).astype(int))
    upper, lower = cuts[:, None], cuts[None, :]
    f_match = 2 * above[2][upper] / (upper + total[2])
    f_partial = 2 * (above[1][lower] - above[1][upper]) / np.maximum(lower - upper + total[1], 1)
    f_different = 2 * (total[0] - above[0][lower]) / (count - lower + total[0])
    return scores[order], cuts, np.where(lower >= upper, (f_match + f_partial + f_different) / 3, -1.0)


def _cut(ranked: Scores, above: int) -> float:
    """Half way between the last score above the cut and the first below it."""
    if above == 0:
        return 1.0
    below = ranked[above] if above < len(ranked) else 0.0
    return round(float(ranked[above - 1] + below) / 2, 6)
