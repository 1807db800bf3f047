"""Labelled pairs: for each written address, the candidates that look most like it in the place index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

import numpy as np
from mgeo.addresses import Division, canonical, normalise
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.preprocessing import normalize

from training.decisive import decisive_pairs
from training.ngrams import count_ngrams
from training.pair import Pair
from training.render import indexed, written
from training.spots import Spot, grade, listed_spots, same_part, wanted_spot
from training.world import Complex, World, make_world

_COMMON: Final = 0.1
_ELSEWHERE: Final = 0.3
"""What likeness counts for outside the city that a query names: a place search looks there first."""

Weighing = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Size:
    """How much to generate."""

    areas: int
    complexes: int
    queries: int
    candidates: int = 5
    decisive: float = 0.08
    """Pairs that differ in one element, as a share of the others."""


def generate(divisions: list[Division], seed: int, size: Size) -> list[Pair]:
    """*size.queries* written addresses with *size.candidates* look-alikes each; the same *seed*, the same pairs."""
    random = Random(seed)
    world = make_world(divisions, random, size.areas, size.complexes)
    wanted = [wanted_spot(random.choice(world.complexes), random) for _ in range(size.queries)]
    listed = [*_listed(world, random), *_same_parts(wanted, world, random)]
    index = [(spot, indexed(spot, random)) for spot in listed]
    texts = [written(spot, random) for spot in wanted]
    reach = _reach(listed)
    bounds = [reach.get(_named_city(spot, text)) for spot, (text, _) in zip(wanted, texts, strict=True)]
    nearest = _nearest([t for t, _ in texts], [t for _, t in index], bounds, size.candidates)
    pairs: list[Pair] = []
    for group, (spot, (text, changes), columns) in enumerate(zip(wanted, texts, nearest, strict=True)):
        for column in columns:
            found, candidate = index[column]
            pairs.append(
                Pair(text, candidate, grade(spot, found, random), group, spot.place.area.province, changes or ("none",))
            )
    return [*pairs, *decisive_pairs(world, random, int(size.decisive * len(pairs)), size.queries)]


def _listed(world: World, random: Random) -> Iterator[Spot]:
    for place in world.complexes:
        if place.listed:
            yield from listed_spots(place, random)


def _same_parts(wanted: list[Spot], world: World, random: Random) -> Iterator[Spot]:
    """The numbers that are asked for, in the places themselves and in places of similar names."""
    alike: dict[str, list[Complex]] = {}
    for place in world.complexes:
        for character in set(place.stem) if place.listed and place.kind in ("estate", "park", "village") else ():
            alike.setdefault(character, []).append(place)
    for spot in wanted:
        if not spot.building:
            continue
        if spot.place.listed and random.random() < 0.9:
            yield same_part(spot, spot.place, random)
        near = alike.get(random.choice(spot.place.stem), [])
        for place in random.sample(near, min(6, len(near))):
            yield same_part(spot, place, random)


def _named_city(spot: Spot, text: str) -> str:
    """The city that *text* names, by itself or by its district; "" if none."""
    area = spot.place.area
    return area.city if area.short_city in text or area.district in text else ""


def _reach(listed: list[Spot]) -> dict[str, Weighing]:
    """Per city what likeness to each of *listed* counts for those who name it."""
    homes = np.array([spot.place.area.city for spot in listed])
    return {str(city): np.where(homes == city, 1, _ELSEWHERE).astype(np.float32) for city in np.unique(homes)}


def _nearest(
    queries: list[str], texts: list[str], bounds: Sequence[Weighing | None], count: int
) -> Iterator[list[int]]:
    """Per query the *count* most alike *texts* by tf-idf of character 2- and 3-grams, as a place search finds them.

    *bounds* says per query what likeness to each of *texts* counts for; None where all counts in full.
    """
    vectors = _tf_idf([canonical(normalise(text)) for text in (*texts, *queries)], len(texts))
    index, asked = vectors[: len(texts)].T.tocsr(), vectors[len(texts) :]
    for start in range(0, len(queries), 512):
        likeness = asked[start : start + 512] @ index
        for bound, (begin, end) in zip(bounds[start : start + 512], pairwise(likeness.indptr), strict=True):
            columns, values = likeness.indices[begin:end], likeness.data[begin:end]
            values = values if bound is None else values * bound[columns]
            if len(values) > count:
                near = values >= np.partition(values, -count)[-count]
                columns, values = columns[near], values[near]
            yield columns[np.lexsort((columns, -values))[:count]].tolist()


def _tf_idf(texts: list[str], known: int) -> csr_matrix:
    """Vectors [texts, n-grams] of length 1; the first *known* texts say how rare an n-gram is, and what is too common.

    An n-gram of more than a tenth of them counts for nothing, and neither does one that none of them has.
    """
    counts: csr_matrix = hstack([count_ngrams(texts, length)[1] for length in (2, 3)], "csr")
    seen = np.bincount(counts[:known].indices, minlength=counts.shape[1])
    rarity = np.log((1 + known) / (1 + seen)) + 1
    rarity[(seen == 0) | (seen > _COMMON * known)] = 0
    counts.data = (1 + np.log(counts.data)) * rarity[counts.indices].astype(np.float32)
    counts.eliminate_zeros()
    vectors: csr_matrix = normalize(counts)
    return vectors
