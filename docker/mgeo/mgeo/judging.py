"""From vectors and prepared addresses to scores and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgeo.engines import Matrix
from mgeo.scoring import Difference, PairScorer, Prepared, Verdict
from mgeo.scoring.features import pair_features

Cosines = NDArray[np.float32]
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judgement:
    """*score* in 0..1, rounded to 4 places; *differences* only when asked for."""

    score: float
    verdict: Verdict
    differences: list[Difference] | None = None


def measure(scorer: PairScorer, pairs: Sequence[tuple[str, str]], prepare: Callable[[str], Prepared]) -> Rows:
    """One row of features per pair, its cosine still missing; empty rows for a scorer that needs none."""
    if scorer.forests is None:
        return np.zeros((len(pairs), 0), np.float32)
    sides = {text: prepare(text) for text in {text: None for pair in pairs for text in pair}}
    return pair_features([(sides[a], sides[b]) for a, b in pairs], np.zeros(len(pairs), np.float32))


def judge(scorer: PairScorer, rows: Rows, cosine: Cosines) -> list[Judgement]:
    """One judgement per row, in order."""
    if scorer.forests:
        rows = rows.copy()
        rows[:, 0] = cosine
        scores = scorer.score_rows(rows)
    else:
        scores = scorer.score_prepared((), cosine)
    sound = np.fmin(np.fmax(scores, 0), 1)  # unlike `clip`, they turn what is not a number into 0
    return [Judgement(round(score, 4), scorer.verdict(score)) for score in sound.tolist()]


def explain(scorer: PairScorer, pair: tuple[str, str], judgement: Judgement) -> Judgement:
    """The same judgement with the elements in which the two differ."""
    return Judgement(judgement.score, judgement.verdict, scorer.differences(*pair))


def cosines(a: Sequence[NDArray[np.float32]] | Matrix, b: Sequence[NDArray[np.float32]] | Matrix) -> Cosines:
    """Row by row, [n], for rows of length 1."""
    return np.asarray((np.asarray(a) * np.asarray(b)).sum(axis=1), dtype=np.float32)
