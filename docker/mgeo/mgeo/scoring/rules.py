"""What needs no model: the same address, texts of divisions alone, two different doors."""

from typing import Final

from mgeo.scoring.prepared import Prepared

OPEN: Final = -1.0
DIFFERENT: Final = 0.0
PARTIAL: Final = 1.0
MATCH: Final = 2.0
NO_MATCH: Final = 3.0


def settled(a: Prepared, b: Prepared) -> float:
    """`MATCH` for one text below the same divisions; the verdict on texts of divisions alone; `NO_MATCH` for two doors;
    `OPEN` for all others.
    """
    if a.whole != b.whole:
        return NO_MATCH if _two_doors(a, b) else OPEN
    levels = list(zip(_divisions(a), _divisions(b), strict=True))
    if all(x == y for x, y in levels):
        return MATCH
    if a.whole:
        return OPEN
    if any(x and y and x != y for x, y in levels):
        return DIFFERENT
    one_inside = all(x or not y for x, y in levels) or all(y or not x for x, y in levels)
    return PARTIAL if one_inside else OPEN


def _two_doors(a: Prepared, b: Prepared) -> bool:
    """Whether the sides name two units or rooms, or two numbers without any name beside them."""
    x, y = a.keys, b.keys
    return (
        ("room" in x and "room" in y and x["room"] != y["room"])
        or ("unit" in x and "unit" in y and x["unit"] != y["unit"])
        or (not (a.names or b.names) and "number" in x and "number" in y and x["number"] != y["number"])
    )


def _divisions(side: Prepared) -> tuple[str, str, str]:
    return side.address.province, side.address.city, side.address.district
