"""What needs no model: the same address, texts of divisions alone, two different doors, two different divisions."""

import re
from typing import Final

from mgeo.scoring.prepared import Prepared

OPEN: Final = -1.0
DIFFERENT: Final = 0.0
PARTIAL: Final = 1.0
MATCH: Final = 2.0
NO_MATCH: Final = 3.0
_HAVE_NAMESAKES: Final = frozenset({"", "店", "超市", "便利店", "公司", "有限公司", "酒店", "宾馆", "街", "路"})
"""Kinds of places (`Prepared.kind`) of which one name stands at many doors, here and elsewhere."""
_MAY_BE_SEVERAL: Final = frozenset({"building", "floor", "room"})
_SEVERAL_IF_NAMED: Final = frozenset({"number", "side"})
_SEVERAL: Final = re.compile("[-至、/]")


def settled(a: Prepared, b: Prepared) -> float:
    """`MATCH` for one text below the same divisions; the verdict on texts of divisions alone; for two doors `PARTIAL`
    in one place that has many, else `NO_MATCH`, as for two divisions; `OPEN` for all others.
    """
    if a.plain != b.plain:
        if _two_divisions(a, b):
            return NO_MATCH
        if _two_doors(a, b):
            return PARTIAL if _one_place(a, b) else NO_MATCH
        return OPEN
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
    """Whether both sides say an element, and not the same. Some count only where no name stands beside them: a place of
    some size has several numbers, and stands on several sides of several crossings.
    """
    named, other = bool(a.names or b.names), b.keys
    return any(_clash(element, x, other[element], named) for element, x in a.keys.items() if element in other)


def _clash(element: str, x: str, y: str, named: bool) -> bool:
    if x == y or (named and element in _SEVERAL_IF_NAMED):
        return False
    return element not in _MAY_BE_SEVERAL or not _SEVERAL.search(x + y)  # 1-2层 and 2层 are no two floors


def _one_place(a: Prepared, b: Prepared) -> bool:
    """Whether both sides name one place that has many doors, and neither a road nor a lane speaks against it."""
    lanes, roads = {a.keys.get("lane"), b.keys.get("lane")} - {None}, a.roads and b.roads
    apart = len(lanes) > 1 or (roads and not {*a.roads} & {*b.roads})
    return a.name == b.name and a.kind not in _HAVE_NAMESAKES and not apart


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
