"""What a pair of addresses has in common and where it disagrees, as numbers.

Every feature has a direction: +1 when more of it can only speak for a match, -1 against, 0 for context. The two sides
have an order of their own, so that nobody has to think of one: the same two addresses always give the same row.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mgeo.scoring.likeness import NAMES, TEXT, Values, names, text
from mgeo.scoring.prepared import Prepared
from mgeo.scoring.rules import settled

_COMPARED: Final = ("number", "lane", "building", "unit", "floor", "room", "group", "phase", "zone", "wing", "gate")
_DIVISIONS: Final = ("province", "city", "district")


def _char_overlap(x: str, y: str) -> float:
    return 2 * len(set(x) & set(y)) / (len(set(x)) + len(set(y)))


def _runs(road: str, side: Prepared) -> bool:
    """Whether *side* says *road* anywhere; a numbered one only as its own road: 1号线 is no part of 11号线."""
    return road in side.roads if road[0].isdigit() else road in side.whole


def _roads(a: Prepared, b: Prepared) -> Values:
    agrees = any(_runs(r, a) for r in b.roads) or any(_runs(r, b) for r in a.roads)
    sounds = agrees or any(r in a.sound for r in b.road_sounds) or any(r in b.sound for r in a.road_sounds)
    alike = max((_char_overlap(x, y) for x in a.roads for y in b.roads), default=-1.0)
    yield float(agrees)
    yield float(sounds)
    yield 1.0 if agrees else alike
    yield float(bool(a.roads and b.roads) and not agrees)
    yield float(len(a.roads))
    yield float(len(b.roads))
    yield float(b.address.crossing)
    yield float(a.address.crossing)


_ROADS: Final = (
    ("road_agrees", 1),
    ("road_sounds_agree", 1),
    ("road_alike", 0),
    ("road_conflicts", -1),
    ("roads_a", 0),
    ("roads_b", 0),
    ("crossing_b", 0),
    ("crossing_a", 0),
)


def _elements(a: Prepared, b: Prepared) -> Values:
    """+1 agrees, -1 conflicts, 0 neither side says it, -0.3 only one does."""
    agreed = (a.name == b.name != "") + (a.address.road == b.address.road != "")
    for element in _COMPARED:
        x, y = a.keys.get(element), b.keys.get(element)
        if x is None or y is None:
            yield 0.0 if x is y else -0.3
        elif x == y:
            agreed += 1
            yield 1.0
        else:
            yield -1.0
    yield float(agreed)
    doors = {a.keys.get("number"), a.keys.get("building"), a.keys.get("room")} - {None}
    yield float(b.keys.get("building", b.keys.get("number")) in doors)
    yield len(a.numbers & b.numbers) / (len(b.numbers) or 1)
    yield len(a.numbers & b.numbers) / (len(a.numbers) or 1)
    yield float(len(a.numbers))
    yield float(len(b.numbers))


_ELEMENTS: Final = (
    *((f"{element}_relation", 0) for element in _COMPARED),
    ("elements_agreed", 1),
    ("door_agrees", 1),
    ("numbers_b_in_a", 1),
    ("numbers_a_in_b", 1),
    ("numbers_a", 0),
    ("numbers_b", 0),
)


def _places(a: Prepared, b: Prepared) -> Values:
    for level in _DIVISIONS:
        x, y = getattr(a.address, level), getattr(b.address, level)
        differs = -1.0 if level in a.address.stated and level in b.address.stated else -0.5
        yield 0.0 if not x or not y else (1.0 if x == y else differs)
    for element in ("town", "village"):
        x, y = getattr(a.address, element), getattr(b.address, element)
        if x and y:
            yield 1.0 if x == y else (0.2 if x[:2] == y[:2] else -1.0)
        elif x or y:
            yield 0.5 if (x or y)[:2] in (b.whole if x else a.whole) else -0.1
        else:
            yield 0.0
    yield float(len(a.address.stated))
    yield float(len(b.address.stated))
    yield float(bool(b.address.district))
    yield float(bool(b.address.aside))
    yield float("附近" in b.whole)
    yield float("店" in b.whole[-3:])
    tails = _tail(a), _tail(b)
    yield from tails
    yield float(tails[0] in _INSIDE and tails[1] == 0.0)
    yield float(tails[1] in _INSIDE and tails[0] == 0.0)


_TAILS: Final = {"栋": 1.0, "元": 2.0, "室": 2.0, "层": 2.0, "号": 3.0, "弄": 3.0}

_INSIDE: Final = (1.0, 2.0)


def _tail(side: Prepared) -> float:
    """What the text ends with: 0 a name, 1 a building, 2 something inside one, 3 a door on a road."""
    last = side.local[-1:]
    return 2.0 if last.isdigit() else _TAILS.get(last, 0.0)


_PLACES: Final = (
    ("province_relation", 1),
    ("city_relation", 1),
    ("district_relation", 1),
    ("town_relation", 1),
    ("village_relation", 1),
    ("stated_a", 0),
    ("stated_b", 0),
    ("district_b", 0),
    ("aside_b", 0),
    ("nearby_b", 0),
    ("shop_b", 0),
    ("tail_a", 0),
    ("tail_b", 0),
    ("a_goes_inside", 0),
    ("b_goes_inside", 0),
)

_GROUPS: Final[tuple[Callable[[Prepared, Prepared], Values], ...]] = (text, names, _roads, _elements, _places)
DIRECTIONS: Final[dict[str, int]] = {
    "embedding_cosine": 1,
    **dict((*TEXT, *NAMES, *_ROADS, *_ELEMENTS, *_PLACES)),
}
"""Feature name -> direction, in column order."""


def pair_features(pairs: Sequence[tuple[Prepared, Prepared]], cosine: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row per pair: a column for each of `DIRECTIONS`, the embedding cosine first, and one for what needs no model.

    That last column is what `rules.settled` says.
    """
    table = np.empty((len(pairs), len(DIRECTIONS) + 1), dtype=np.float32)
    for row, pair in enumerate(pairs):
        b, a = sorted(pair, key=_asking)
        table[row, 1:-1] = [value for group in _GROUPS for value in group(a, b)]
        table[row, -1] = settled(a, b)
    table[:, 0] = cosine
    return table


def _asking(side: Prepared) -> tuple[int, int, str]:
    """Who asks for a place names more levels and says more than an index does that lists it."""
    return len(side.address.stated), len(side.whole), side.text
