"""What needs no model: the same address, texts of divisions alone, two different doors."""

from collections.abc import Iterator
from typing import Final

from mgeo.scoring.prepared import Prepared

OPEN: Final = -1.0
DIFFERENT: Final = 0.0
PARTIAL: Final = 1.0
MATCH: Final = 2.0
NO_MATCH: Final = 3.0


def settled(a: Prepared, b: Prepared) -> float:
    """`MATCH` for one text below the same divisions; the verdict on texts of divisions alone; `NO_MATCH` for two doors
    and for two divisions; `OPEN` for all others.
    """
    if a.plain != b.plain:
        return NO_MATCH if _two_doors(a, b) or any(_two_divisions(a, b)) else OPEN
    levels = list(zip(_divisions(a), _divisions(b), strict=True))
    if all(x == y for x, y in levels):
        return MATCH
    if a.plain:
        return NO_MATCH if any(_two_divisions(a, b)) else OPEN
    if any(x and y and x != y for x, y in levels):
        return DIFFERENT
    one_inside = all(x or not y for x, y in levels) or all(y or not x for x, y in levels)
    return PARTIAL if one_inside else OPEN


def _two_doors(a: Prepared, b: Prepared) -> bool:
    """Whether both sides say an element, and not the same; a number only where no name stands beside it.

    A place of some size has several numbers, but no place is at once in two buildings, or on two floors.
    """
    named = a.names or b.names
    y = b.keys
    return any(y.get(element, key) != key for element, key in a.keys.items() if element != "number" or not named)


def _two_divisions(a: Prepared, b: Prepared) -> Iterator[bool]:
    """For each level that both texts name whether they name two."""
    for level in a.address.stated & b.address.stated:
        yield getattr(a.address, level) != getattr(b.address, level)


def _divisions(side: Prepared) -> tuple[str, str, str]:
    return side.address.province, side.address.city, side.address.district
