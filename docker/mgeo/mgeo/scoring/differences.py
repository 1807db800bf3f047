"""Where two addresses part, element by element."""

from dataclasses import dataclass
from typing import Final

from mgeo.addresses import Divisions, canonical, parse
from mgeo.scoring.prepared import bare

_ELEMENTS: Final = (
    "province", "city", "district", "town", "village", "road", "lane", "number", "group", "poi", "phase", "zone",
    "building", "wing", "unit", "floor", "room", "code", "gate", "side",
)  # fmt: skip
_OPTIONAL: Final = frozenset({"province", "city", "district", "town"})
_NUMBERED: Final = frozenset({"lane", "number", "group", "building", "unit", "floor", "room", "phase", "zone"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that differs; "" where a side does not say it."""

    element: str
    a: str
    b: str


def differences(a: str, b: str, divisions: Divisions) -> list[Difference]:
    """Elements that disagree, and elements only one side says; an unsaid division is no difference."""
    left, right = parse(a, divisions), parse(b, divisions)
    found = []
    for element in _ELEMENTS:
        x, y = getattr(left, element), getattr(right, element)
        if _identity(element, x) == _identity(element, y) or (element in _OPTIONAL and not (x and y)):
            continue
        found.append(Difference(element, x, y))
    return found


def _identity(element: str, value: str) -> str:
    """6栋 and 6号楼 are one building; 街道办 and 街道办事处 are one office."""
    return bare(value) if value and element in _NUMBERED else canonical(value)
