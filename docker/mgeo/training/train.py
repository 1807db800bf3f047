"""Train one model: generate, fit, evaluate, export. The same inputs give the same bytes."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from mgeo.addresses import Division, Divisions
from mgeo.scoring.prepared import Language
from mgeo.scoring.scorer import PairScorer
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from training.crossval import out_of_fold
from training.divisions import official_divisions
from training.encoder import Say, cosines, device, load_encoder, new_encoder, share_traditional, train_encoder
from training.evaluate import Metrics, labels_of, measure
from training.folder import Facts, write_folder
from training.forest import steady_thresholds
from training.labelled import read_labelled
from training.pair import Pair
from training.pairs import Size, generate
from training.report import make_report
from training.scorer import Material, fit_scorer, learn_language, scores_of


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is generated and trained: per set of pairs, and for the encoder."""

    encoder: Size
    forests: Size
    held_out: Size
    steps: int
    batch: int


BUDGETS: Final = {
    "small": Budget(Size(400, 14000, 6000), Size(400, 14000, 10000, decisive=0.24), Size(400, 20000, 2400), 450, 64),
    "full": Budget(Size(200, 40000, 40000), Size(120, 20000, 20000, decisive=0.2), Size(60, 9000, 3000), 6000, 128),
}


@dataclass(frozen=True, slots=True)
class Options:
    output: Path
    seed: int
    timestamp: int
    budget: str = "small"
    labelled: Path | None = None
    base: Path | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training made."""

    version: str
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Ingredients:
    """All that a scorer is fitted from."""

    rows: list[Division]
    encoder: SentenceTransformer
    divisions: Divisions
    language: Language
    fitted: Material
    held_out: Material
    labelled: Material | None


def train(options: Options, say: Say) -> Trained:
    """Write a complete model folder to ``options.output``. Raises LabelledFileError for a bad labelled file."""
    made = ingredients(options.seed, BUDGETS[options.budget], options.labelled, options.base, say)
    scorer, checked, scores = _fit(made, options.seed, say)
    metrics = measure(scores, labels_of(checked.pairs), scorer.thresholds)
    say(f"held out: {asdict(metrics)}")
    report = make_report(metrics, checked.pairs, scores, scorer.thresholds)
    facts = Facts(
        options.seed, options.timestamp, options.budget, options.base, len(made.labelled.pairs) if made.labelled else 0
    )
    version = write_folder(options.output, facts, made.encoder, scorer, made.rows, checked, report, say)
    return Trained(version, metrics)


def ingredients(seed: int, budget: Budget, labelled: Path | None, base: Path | None, say: Say) -> Ingredients:
    """Generate, train the encoder, weigh the n-grams, and embed every pair."""
    own = read_labelled(labelled) if labelled else []
    rows = official_divisions()
    say(f"divisions: {len(rows)}; device: {device()}; labelled pairs: {len(own)}")
    taught, fitted, held_out = _generated(rows, seed, budget, say)
    encoder = load_encoder(base) if base else new_encoder(seed)
    train_encoder(encoder, taught, seed, budget.steps, budget.batch, say)
    share_traditional(encoder)
    language = learn_language(_texts([*taught, *fitted, *own]))
    say(f"language: {len(language.rarity)} n-grams")
    return Ingredients(
        rows,
        encoder,
        Divisions.of(rows),
        language,
        Material(fitted, cosines(encoder, fitted)),
        Material(held_out, cosines(encoder, held_out)),
        Material(own, cosines(encoder, own)) if own else None,
    )


def _generated(rows: list[Division], seed: int, budget: Budget, say: Say) -> list[list[Pair]]:
    """Three sets from three worlds: for the encoder, for the forests, for thresholds and evaluation."""
    made = []
    for offset, size in enumerate((budget.encoder, budget.forests, budget.held_out)):
        made.append(generate(rows, seed * 3 + offset, size))
        say(f"generated {len(made[-1])} pairs")
    return made


def _fit(made: Ingredients, seed: int, say: Say) -> tuple[PairScorer, Material, NDArray[np.float32]]:
    """The scorer, and pairs it was not fitted on with the scores they get."""
    if made.labelled is None:
        drafted = fit_scorer(made.divisions, made.language, made.fitted, None, seed)
        scores = scores_of(drafted, made.held_out)
        telling = ~_decisive(made.held_out)
        cuts = steady_thresholds(scores[telling], labels_of(made.held_out.pairs)[telling])
        return PairScorer(made.divisions, made.language, cuts, drafted.forests), made.held_out, scores
    unseen = out_of_fold(made.divisions, made.language, made.fitted, made.labelled, seed, say)
    drafted = fit_scorer(made.divisions, made.language, made.fitted, made.labelled, seed)
    cuts = steady_thresholds(unseen, labels_of(made.labelled.pairs))
    return PairScorer(made.divisions, made.language, cuts, drafted.forests), made.labelled, unseen


def _decisive(material: Material) -> NDArray[np.bool_]:
    return np.array([pair.decisive for pair in material.pairs], np.bool_)


def _texts(pairs: Iterable[Pair]) -> Iterable[str]:
    return (text for pair in pairs for text in dict.fromkeys((pair.a, pair.b)))


def as_json(trained: Trained) -> dict[str, Any]:
    """The last line a training prints."""
    plain = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(trained.metrics).items()}
    return {"version": trained.version, "metrics": plain}
