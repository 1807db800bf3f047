"""Five folds by query on a labelled file: how good fine-tuning is on addresses it has not seen.

python -m training.crossval --labelled FILE [--seed 0] [--budget small|full]
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from mgeo.addresses import Divisions
from mgeo.scoring.prepared import Language
from numpy.typing import NDArray

from training.encoder import Say
from training.evaluate import labels_of, macro_f1, measure
from training.forest import steady_thresholds
from training.scorer import Material, fit_scorer, scores_of

FOLDS = 5


def folds_of(material: Material, seed: int) -> NDArray[np.int64]:
    """The fold of each pair; pairs of one query share a fold."""
    groups = np.array([p.group for p in material.pairs])
    order = np.random.default_rng(seed).permutation(groups.max() + 1)
    return np.asarray(order[groups] % FOLDS, np.int64)


def out_of_fold(
    divisions: Divisions, language: Language, generated: Material, own: Material, seed: int, say: Say
) -> NDArray[np.float32]:
    """Scores of each labelled pair by a scorer that was not fitted on its query."""
    folds = folds_of(own, seed)
    scores = np.zeros(len(own.pairs), np.float32)
    for fold in range(FOLDS):
        scorer = fit_scorer(divisions, language, generated, own.only(folds != fold), seed)
        scores[folds == fold] = scores_of(scorer, own.only(folds == fold))
        say(f"fold {fold + 1} of {FOLDS} done")
    return scores


def honest_macro_f1(scores: NDArray[np.float32], own: Material, seed: int) -> float:
    """Macro-F1 where each fold is cut by thresholds found on the other folds."""
    labels, folds = labels_of(own.pairs), folds_of(own, seed)
    found = []
    for fold in range(FOLDS):
        cuts = steady_thresholds(scores[folds != fold], labels[folds != fold])
        found.append(macro_f1(scores[folds == fold], labels[folds == fold], cuts))
    return round(float(np.mean(found)), 4)


def main(arguments: list[str] | None = None) -> None:
    from training.train import BUDGETS, ingredients  # the trainer itself uses this module's folds

    wanted = argparse.ArgumentParser(prog="python -m training.crossval", description=__doc__)
    wanted.add_argument("--labelled", type=Path, required=True)
    wanted.add_argument("--seed", type=int, default=0)
    wanted.add_argument("--budget", choices=sorted(BUDGETS), default="small")
    given = wanted.parse_args(arguments)

    made = ingredients(given.seed, BUDGETS[given.budget], given.labelled, None, _say)
    assert made.labelled is not None
    scores = out_of_fold(made.divisions, made.language, made.fitted, made.labelled, given.seed, _say)
    labels = labels_of(made.labelled.pairs)
    metrics = measure(scores, labels, steady_thresholds(scores, labels))
    print(json.dumps(asdict(metrics) | {"macro_f1": honest_macro_f1(scores, made.labelled, given.seed)}))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
