"""What needs no model: the same address, texts of divisions alone, two different doors, two different divisions."""

import re
from typing import Final

from mgeo.scoring.prepared import Prepared

OPEN: Final = -1.0
DIFFERENT: Final = 0.0
PARTIAL: Final = 1.0
MATCH: Final = 2.0
NO_MATCH: Final = 3.0
_MAY_BE_SEVERAL: Final = frozenset({"building", "floor", "room"})
_SEVERAL: Final = re.compile("[-至、/]")


def settled(a: Prepared, b: Prepared) -> float:
    """`MATCH` for one text below the same divisions; the verdict on texts of divisions alone; `NO_MATCH` for two doors
    and for two divisions; `OPEN` for all others.
    """
    if a.plain != b.plain:
        return NO_MATCH if _two_doors(a, b) or _two_divisions(a, b) else OPEN
    levels = list(zip(_divisions(a), _divisions(b), strict=True))
    if all(x == y for x, y in levels):
        return MATCH
    if a.plain:
        return NO_MATCH if _two_divisions(a, b) else OPEN
    if any(x and y and x != y for x, y in levels):
        return DIFFERENT
    one_inside = all(x or not y for x, y in levels) or all(y or not x for x, y in levels)
    return PARTIAL if one_inside else OPEN


def _two_doors(a: Prepared, b: Prepared) -> bool:
    """Whether both sides say an element, and not the same. A number counts only where no name stands beside it: a place
    of some size has several.
    """
    named, other = bool(a.names or b.names), b.keys
    return any(_clash(element, x, other[element], named) for element, x in a.keys.items() if element in other)


def _clash(element: str, x: str, y: str, named: bool) -> bool:
    if x == y or (named and element == "number"):
        return False
    return element not in _MAY_BE_SEVERAL or not _SEVERAL.search(x + y)  # 1-2层 and 2层 are no two floors


def _two_divisions(a: Prepared, b: Prepared) -> bool:
    """Whether both texts name a division of one level, and not the same. Districts are redrawn: a town stays itself."""
    same_town = a.address.town == b.address.town != ""
    for level in a.address.stated & b.address.stated:
        x, y = getattr(a.address, level), getattr(b.address, level)
        if x and y and x != y and not (same_town and level == "district"):
            return True
    return False


def _divisions(side: Prepared) -> tuple[str, str, str]:
    return side.address.province, side.address.city, side.address.district
