"""How alike the texts and the names of two sides are: the features that count n-grams."""

from collections.abc import Iterator, Sequence
from operator import mul
from typing import Final

from mgeo.scoring.prepared import NGRAMS, Grams, Prepared

Values = Iterator[float]


def text(a: Prepared, b: Prepared) -> Values:
    shared = 0.0
    for left, right in zip(a.grams, b.grams, strict=True):
        weights, other = left.weights, right.weights
        common = [gram for gram in weights if gram in other]
        ours, theirs = [weights[gram] for gram in common], [other[gram] for gram in common]
        dot = sum(map(mul, ours, theirs))
        norm = left.norm * right.norm
        yield dot / norm if norm else 0.0
        yield sum(theirs) / (right.total or 1.0)
        yield sum(ours) / (left.total or 1.0)
        shared += dot
    total = sum([g.norm * g.norm for g in a.grams]) * sum([g.norm * g.norm for g in b.grams])
    yield shared / total**0.5 if total else 0.0
    yield float(len(a.local))
    yield float(len(b.local))


TEXT: Final = (
    *((f"{kind}{n}", 1) for n in NGRAMS for kind in ("cosine", "b_in_a", "a_in_b")),
    ("cosine_all", 1),
    ("length_a", 0),
    ("length_b", 0),
)


def _covered(names: Sequence[Grams], other: Prepared) -> list[float]:
    """For each of *names* the share of the weight of its grams that *other* contains anywhere."""
    singles, pairs = other.grams[0].weights, other.grams[1].weights
    found = [sum([w for g, w in x.weights.items() if g in (singles if len(g) == 1 else pairs)]) for x in names]
    return [weight / x.total if x.total else 0.0 for x, weight in zip(names, found, strict=True)]


def _alike(x: Grams, y: Grams) -> float:
    other = y.weights
    common = sum([w for g, w in x.weights.items() if g in other])
    total = x.total + y.total
    return 2 * common / total if total else 0.0


def _gap(text: str, other: Prepared) -> float:
    """The heaviest run of characters of *text* that no 2-gram of *other* covers."""
    grams, rare = other.grams[1].weights, other.grams[0].weights
    worst = run = 0.0
    for i, c in enumerate(text):
        covered = text[i - 1 : i + 1] in grams if i else False
        covered = covered or text[i : i + 2] in grams
        run = 0.0 if covered else run + (0.5 if c in rare else 1.0)
        worst = max(worst, run)
    return worst


def names(a: Prepared, b: Prepared) -> Values:
    likeness = [[_alike(x, y) for x in a.name_grams] for y in b.name_grams]
    yield max((max(row, default=0.0) for row in likeness), default=0.0)
    yield max(likeness[-1], default=0.0) if likeness else -1.0
    yield max(likeness[0], default=0.0) if likeness else -1.0
    yield likeness[-1][-1] if likeness and likeness[-1] else -1.0
    for covered in (_covered(b.name_grams, a), _covered(a.name_grams, b)):
        yield covered[-1] if covered else -1.0
        yield max(covered, default=-1.0)
    yield _gap(b.name, a)
    yield _gap(a.name, b)
    yield float(bool(b.name) and b.name in a.whole)
    yield float(bool(a.name) and a.name in b.whole)
    yield float(bool(b.name) and b.name_sound in a.sound)
    yield float(bool(a.name) and a.name_sound in b.sound)
    yield float(bool(b.kind) and b.kind == a.kind)
    yield float(bool(b.kind and a.kind) and b.kind not in a.whole)
    yield float(len(a.names))
    yield float(len(b.names))


NAMES: Final = (
    ("name_best", 1),
    ("name_last", 1),
    ("name_first", 1),
    ("name_both_last", 1),
    ("name_b_covered", 1),
    ("name_b_any_covered", 1),
    ("name_a_covered", 1),
    ("name_a_any_covered", 1),
    ("name_b_gap", -1),
    ("name_a_gap", -1),
    ("name_b_inside", 1),
    ("name_a_inside", 1),
    ("name_b_sounds_inside", 1),
    ("name_a_sounds_inside", 1),
    ("kind_agrees", 0),
    ("kind_conflicts", 0),
    ("names_a", 0),
    ("names_b", 0),
)
