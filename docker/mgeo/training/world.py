"""A made-up country on the official divisions: towns, roads, complexes and the places inside them.

Labels come from this world's truth (is it the same place?), never from how alike two texts are.
"""

from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Final, Literal

from mgeo.addresses import Division

from training import lexicon as words

Kind = Literal["estate", "office", "park", "institution", "village", "street"]
_KINDS: Final[tuple[Kind, ...]] = ("estate",) * 9 + ("office",) * 3 + ("park",) * 4 + ("institution",) * 2 + (
    "village",
) * 4 + ("street",) * 5  # fmt: skip

_AREAS_PER_CITY: Final = 4


@dataclass(frozen=True, slots=True)
class Area:
    """One district with the names of the levels above it."""

    province: str
    city: str
    district: str
    short_city: str
    short_district: str
    towns: tuple[str, ...]
    roads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Complex:
    """A named place that holds others: an estate, an office building, a village; a street (no name) is itself."""

    id: int
    kind: Kind
    area: Area
    town: str
    roads: tuple[str, ...]
    number: str
    lane: str
    stem: str
    name: str
    alias: str
    zones: tuple[str, ...]
    tenants: tuple[str, ...]
    listed: bool
    """Whether the place index (the candidates' side) knows it."""


@dataclass(frozen=True, slots=True)
class World:
    areas: tuple[Area, ...]
    complexes: tuple[Complex, ...]
    namesakes: tuple[tuple[Area, ...], ...]
    """Districts of one name in several cities, by name."""


def make_world(divisions: list[Division], random: Random, areas: int, complexes: int) -> World:
    """Draw *areas* districts of the country and *complexes* places in them; nearly half have a near namesake."""
    by_code = {d.code: d for d in divisions}
    chosen = tuple(_area(d, by_code, random) for d in _districts(divisions, random, areas))
    places: list[Complex] = []
    while len(places) < complexes:
        if places and random.random() < 0.45:
            places.append(_namesake(len(places), random.choice(places), random.choice(chosen), random))
        else:
            places.append(_complex(len(places), random.choice(chosen), random))
    return World(chosen, tuple(places), _of_one_name(divisions, by_code, random))


def _of_one_name(
    divisions: list[Division], by_code: dict[str, Division], random: Random
) -> tuple[tuple[Area, ...], ...]:
    found: dict[str, list[Division]] = {}
    for division in divisions:
        if division.level == "district":
            found.setdefault(division.name, []).append(division)
    return tuple(tuple(_area(d, by_code, random) for d in same) for same in found.values() if len(same) > 1)


def _districts(divisions: list[Division], random: Random, count: int) -> list[Division]:
    """A few of each of some cities, so that a search within one of them finds look-alikes there."""
    inside: dict[str, list[Division]] = {}
    for division in divisions:
        if division.level == "district":
            inside.setdefault(division.parent, []).append(division)
    everywhere = [d for own in inside.values() for d in own]
    cities: dict[str, list[Division]] = {}
    while len(cities) < min(max(2, count // _AREAS_PER_CITY), len(inside)):
        city = _drawn(everywhere, random).parent
        cities[city] = inside[city]
    return [_drawn(own, random) for own in islice(cycle(cities.values()), count)]


def _drawn(districts: list[Division], random: Random) -> Division:
    """Cities hold most addresses: urban districts are drawn three times as often as counties."""
    return random.choices(districts, [3.0 if d.name.endswith("区") else 1.0 for d in districts])[0]


def _area(division: Division, by_code: dict[str, Division], random: Random) -> Area:
    upper = by_code.get(division.parent, division)
    province = by_code.get(upper.parent, upper)
    return Area(
        province.name,
        upper.name if upper.level == "city" else province.name,
        division.name,
        upper.shorts[0] if upper.shorts else upper.name,
        division.shorts[0] if division.shorts else division.name,
        tuple(stem(random) + random.choice(words.TOWN_FORMS) for _ in range(4)),
        tuple(road_name(random) for _ in range(16)),
    )


def stem(random: Random) -> str:
    """A two-character (seldom one or three) proper name."""
    length = random.choices((1, 2, 3), (1, 16, 4))[0]
    return "".join(random.choice(words.STEM) for _ in range(length)) if length > 1 else random.choice(words.SURNAMES)


def road_name(random: Random) -> str:
    if random.random() < 0.05:
        return f"{random.choice('SXG')}{random.randint(1, 399)}" + random.choice(("省道", "国道", "县道"))
    base = random.choice(words.ROAD_STEMS) if random.random() < 0.33 else stem(random)
    return base + random.choice(words.ROAD_SUFFIXES)


def _complex(number: int, area: Area, random: Random) -> Complex:
    kind = random.choice(_KINDS)
    base = _base(kind, area, random)
    name = base + _form(kind, random)
    return _placed(number, kind, area, base, name, random)


def _base(kind: Kind, area: Area, random: Random) -> str:
    if kind == "village":
        return random.choice(words.SURNAMES) if random.random() < 0.4 else stem(random)
    base = stem(random)
    if kind == "estate" and random.random() < 0.25:
        return random.choice(words.DEVELOPERS) + (base if random.random() < 0.8 else "")
    if kind == "institution" and random.random() < 0.6:
        return random.choice((area.short_city, area.short_district)) + (base if random.random() < 0.3 else "")
    return base


def _form(kind: Kind, random: Random) -> str:
    forms = {
        "estate": words.ESTATES,
        "office": words.OFFICES,
        "park": words.PARKS,
        "institution": words.INSTITUTIONS,
        "village": words.VILLAGE_FORMS,
        "street": ("",),
    }
    return random.choice(forms[kind])


def _placed(number: int, kind: Kind, area: Area, base: str, name: str, random: Random) -> Complex:
    zones = tuple(random.sample(words.ZONES, 2)) if kind in ("estate", "park") and random.random() < 0.2 else ()
    tenants = tuple(_tenant(kind, area, random) for _ in range(random.choices((0, 1, 3, 6), (2, 4, 3, 1))[0]))
    return Complex(
        number,
        kind,
        area,
        random.choice(area.towns),
        tuple(random.sample(area.roads, 3)),
        _house_number(random),
        f"{random.randint(10, 3999)}弄" if random.random() < 0.12 else "",
        base,
        name if kind != "street" else "",
        random.choice(words.DEVELOPERS) + name if random.random() < 0.12 and kind == "estate" else _alias(name, random),
        zones,
        tenants,
        random.random() < 0.58,
    )


def _alias(name: str, random: Random) -> str:
    return stem(random) + name[-2:] if random.random() < 0.04 else name


def _house_number(random: Random) -> str:
    number = str(min(int(random.expovariate(1 / 160)) + 1, 4999))
    if random.random() < 0.08:
        number += f"-{random.randint(1, 30)}"
    return number


def _tenant(kind: Kind, area: Area, random: Random) -> str:
    if random.random() < (0.65 if kind in ("park", "office") else 0.2):
        prefix = random.choice((area.short_city, area.short_city, "", area.province[:2]))
        return prefix + stem(random) + random.choice(words.INDUSTRIES) + random.choice(words.COMPANY_FORMS)
    if random.random() < 0.3:
        return random.choice(words.SHOP_BRANDS)
    return stem(random) + random.choice(words.SHOP_KINDS)


def _namesake(number: int, place: Complex, area: Area, random: Random) -> Complex:
    """A different place whose name is the same or one character away: the hardest negatives of the field."""
    base, form = place.stem, place.name[len(place.stem) :]
    change = random.random()
    if change < 0.25 and len(base) > 1:
        base = _one_character_away(base, random)
    elif change < 0.35:
        base = random.choice("新东西南北中大小") + base
    elif change < 0.48:
        form = _form(place.kind, random)
    elif change < 0.54 and len(base) > 1:
        base = base[::-1]
    return _placed(number, place.kind, area, base, base + form, random)


def _one_character_away(base: str, random: Random) -> str:
    at = random.randrange(len(base))
    return base[:at] + random.choice(words.STEM) + base[at + 1 :]
