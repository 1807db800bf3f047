"""From labelled pairs to a pair scorer: rarity of n-grams, features, forests, thresholds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from mgeo.addresses import Divisions, canonical, normalise
from mgeo.scoring.features import DIRECTIONS, pair_features
from mgeo.scoring.prepared import NGRAMS, Language
from mgeo.scoring.scorer import PairScorer, Thresholds, sounds_of
from numpy.typing import NDArray

from training.evaluate import labels_of
from training.forest import fit_forests
from training.ngrams import count_ngrams, spelled
from training.pair import Pair
from training.sounds import same_sounds

LEAST_SEEN: Final = {1: 5, 2: 20, 3: 50}
"""Texts that hold an n-gram, by its length, before it is listed: rarer ones tell no more than that they are rare."""
GENERATED_SHARE: Final = 0.15
"""Total weight of the generated pairs beside a user's labelled ones."""
DECISIVE_WEIGHT: Final = 0.4
"""Many decisive pairs of little weight show every element more often than a few of full weight."""


@dataclass(frozen=True, slots=True)
class Material:
    """Pairs with the cosine the encoder gives each of them."""

    pairs: Sequence[Pair]
    cosines: NDArray[np.float32]

    def only(self, keep: NDArray[np.bool_]) -> "Material":
        return Material([p for p, k in zip(self.pairs, keep, strict=True) if k], self.cosines[keep])


def learn_language(texts: Iterable[str]) -> Language:
    """ln(documents / seen in) of every n-gram that is listed (`LEAST_SEEN`), and what sounds the same."""
    plain = [canonical(normalise(text)) for text in texts]
    listed: dict[str, float] = {}
    for length in NGRAMS:
        keys, counts = count_ngrams(plain, length)
        seen = np.bincount(counts.indices, minlength=len(keys))
        listed |= {
            spelled(int(key), length): round(math.log(len(plain) / int(times)), 4)
            for key, times in zip(keys, seen, strict=True)
            if times >= LEAST_SEEN[length]
        }
    unseen = round(math.log(max(len(plain) / (LEAST_SEEN[1] - 1), 2)), 4)
    return Language(dict(sorted(listed.items())), unseen, sounds_of(same_sounds()))


def fit_scorer(
    divisions: Divisions, language: Language, generated: Material, labelled: Material | None, seed: int
) -> PairScorer:
    """A scorer with default thresholds, from generated pairs and, when there are any, a user's own."""
    draft = PairScorer(divisions, language, Thresholds())
    parts = [generated] if labelled is None else [generated, labelled]
    rows = np.concatenate([features(draft, part) for part in parts])
    labels = np.concatenate([labels_of(part.pairs) for part in parts])
    shares = _shares(generated.pairs, 0 if labelled is None else len(labelled.pairs))
    return PairScorer(divisions, language, Thresholds(), fit_forests(rows[:, : len(DIRECTIONS)], labels, shares, seed))


def _shares(generated: Sequence[Pair], labelled: int) -> NDArray[np.float64]:
    each = np.array([DECISIVE_WEIGHT if pair.decisive else 1.0 for pair in generated])
    if labelled:
        each *= min(GENERATED_SHARE * labelled / each.sum(), 1.0)
    return np.concatenate([each, np.ones(labelled)])


def features(scorer: PairScorer, material: Material) -> NDArray[np.float32]:
    made = {text: scorer.prepare(text) for text in dict.fromkeys(t for p in material.pairs for t in (p.a, p.b))}
    return pair_features([(made[p.a], made[p.b]) for p in material.pairs], material.cosines)


def scores_of(scorer: PairScorer, material: Material) -> NDArray[np.float32]:
    return scorer.score([p.a for p in material.pairs], [p.b for p in material.pairs], material.cosines)
