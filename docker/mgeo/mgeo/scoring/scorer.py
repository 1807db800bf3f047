"""Scores, verdicts and differences of address pairs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mgeo.addresses import Divisions
from mgeo.scoring.differences import Difference, differences
from mgeo.scoring.features import DIRECTIONS, pair_features
from mgeo.scoring.forest import Forest
from mgeo.scoring.prepared import Language, Prepared, prepare
from mgeo.scoring.rules import DIFFERENT, MATCH, NO_MATCH, PARTIAL

Verdict = Literal["match", "partial", "different"]
FORMAT: Final = 2
RELATED_SHARE: Final = 0.6
"""Weight of P(related) in a score beside P(match): a partial match stands a little above the middle."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which a pair counts as a match, and as partial."""

    match: float = 0.9
    partial: float = 0.75


@dataclass(frozen=True, slots=True)
class Forests:
    """P(related) and P(match); the score is their weighted mean."""

    related: Forest
    match: Forest


@dataclass(frozen=True, slots=True)
class PairScorer:
    """Without *forests* (a plain sentence-transformers folder) the score is the cosine itself."""

    divisions: Divisions
    language: Language
    thresholds: Thresholds
    forests: Forests | None = None

    @classmethod
    def load(cls, model_dir: Path) -> "PairScorer":
        """Read ``divisions.tsv`` and ``scoring.json`` of *model_dir*; either may be missing. ValueError when broken."""
        table, scoring = model_dir / "divisions.tsv", model_dir / "scoring.json"
        divisions = Divisions.load(table) if table.is_file() else Divisions()
        if not scoring.is_file():
            return cls(divisions, Language({}, 1.0), Thresholds())
        try:
            return _from_json(divisions, json.loads(scoring.read_text(encoding="utf-8")))
        except (KeyError, TypeError, json.JSONDecodeError) as broken:
            raise ValueError(f"{scoring.name} of {model_dir.name} cannot be used: {broken!r}") from broken

    def prepare(self, text: str) -> Prepared:
        """The reusable half of a comparison; worth caching by text."""
        return prepare(text, self.divisions, self.language)

    def score(self, a: Sequence[str], b: Sequence[str], cosine: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores in 0..1, float32 [n]; *cosine* [n] is the embedding cosine of each pair."""
        made = {text: self.prepare(text) for text in dict.fromkeys((*a, *b))} if self.forests else {}
        pairs = [(made[x], made[y]) for x, y in zip(a, b, strict=True)] if made else []
        return self.score_prepared(pairs, cosine)

    def score_prepared(
        self, pairs: Sequence[tuple[Prepared, Prepared]], cosine: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """As `score`, for sides that were prepared before."""
        if self.forests is None:
            return np.clip(cosine, 0.0, 1.0).astype(np.float32)
        return self.score_rows(pair_features(pairs, cosine))

    def score_rows(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `score`, for rows that `pair_features` made before; needs *forests*."""
        if self.forests is None:
            raise ValueError("a scorer without forests knows no features")
        related, match = self.forests.related.predict(rows), self.forests.match.predict(rows)
        score = RELATED_SHARE * related + (1.0 - RELATED_SHARE) * np.minimum(match, related)
        return np.asarray(self._settled(score, rows[:, -1]), np.float32)

    def _settled(self, score: NDArray[np.float64], by_rule: NDArray[np.float32]) -> NDArray[np.float64]:
        """Rules win over the forests; a partial match stands half way between the thresholds.

        But no higher than what is surely related and surely no match: the thresholds of a draft, which are there before
        its own are found, would make a match of it.
        """
        partial = min((self.thresholds.match + self.thresholds.partial) / 2, RELATED_SHARE)
        for outcome, settled in ((DIFFERENT, 0.0), (PARTIAL, partial), (MATCH, 1.0)):
            score[by_rule == outcome] = settled
        return np.where(by_rule == NO_MATCH, np.minimum(score, partial), score)

    def verdict(self, score: float) -> Verdict:
        if score >= self.thresholds.match:
            return "match"
        return "partial" if score >= self.thresholds.partial else "different"

    def differences(self, a: str, b: str) -> list[Difference]:
        """The elements in which *a* and *b* disagree, largest first."""
        return differences(a, b, self.divisions)

    def to_json(self) -> dict[str, Any]:
        """What ``scoring.json`` holds; needs *forests*."""
        if self.forests is None:
            raise ValueError("a scorer without forests has nothing to write")
        return {
            "format": FORMAT,
            "features": list(DIRECTIONS),
            "thresholds": {"match": self.thresholds.match, "partial": self.thresholds.partial},
            "language": {
                "sounds": _groups(self.language.sounds),
                "unseen": self.language.unseen,
                "rarity": self.language.rarity,
            },
            "related": self.forests.related.to_json(),
            "match": self.forests.match.to_json(),
        }


def _from_json(divisions: Divisions, data: dict[str, Any]) -> PairScorer:
    if data["format"] != FORMAT or data["features"] != list(DIRECTIONS):
        raise ValueError("scoring.json was written for another version of the scorer: train the model again")
    language = data["language"]
    return PairScorer(
        divisions,
        Language(_shared(language["rarity"]), float(language["unseen"]), sounds_of(language["sounds"])),
        Thresholds(**data["thresholds"]),
        Forests(Forest.from_json(data["related"]), Forest.from_json(data["match"])),
    )


def sounds_of(groups: Iterable[str]) -> dict[int, int]:
    """`Language.sounds` from *groups* of characters that sound the same."""
    return {ord(character): ord(group[0]) for group in groups for character in group}


def _groups(sounds: dict[int, int]) -> list[str]:
    alike: dict[int, list[int]] = {}
    for character, first in sounds.items():
        alike.setdefault(first, []).append(character)
    return ["".join(map(chr, group)) for group in alike.values()]


def _shared(rarity: dict[str, float]) -> dict[str, float]:
    """The same, with equal numbers as one object: they are few, and what is looked up all the time stays in cache.

    Changed in place: a second table would cost its size again while a model is read.
    """
    one: dict[float, float] = {}
    for gram, weight in rarity.items():
        rarity[gram] = one.setdefault(weight, weight)
    return rarity
