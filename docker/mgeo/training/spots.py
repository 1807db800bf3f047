"""Spots: one exact place to write an address for, and how two of them relate."""

from dataclasses import dataclass
from random import Random
from typing import Final

from training import lexicon as words
from training.world import Complex

STRICTNESS: Final = 0.12
"""How often people call a full match partial."""
OVERSIGHT: Final = 0.02
"""How often people take a related place for another one."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place and what of it a text says ("" is left unsaid). A street's bare road has neither number nor tenant."""

    place: Complex
    road: str
    number: str = ""
    named: bool = True
    zone: str = ""
    building: str = ""
    unit: str = ""
    floor: str = ""
    room: str = ""
    gate: str = ""
    tenant: str = ""
    silent: bool = False
    """The place has a name, but this text leaves it out."""

    @property
    def bare_road(self) -> bool:
        return not self.named and not self.number and not self.tenant


def wanted_spot(place: Complex, random: Random) -> Spot:
    """What a sender writes: often down to building, unit or shop."""
    road = random.choices(place.roads, (6, 1, 1))[0]
    number = place.number if road == place.roads[0] and random.random() < 0.75 else ""
    if place.kind == "street":
        return _on_street(place, random)
    tenant = random.choice(place.tenants) if place.tenants and random.random() < 0.5 else ""
    deep = place.kind in ("estate", "park", "village") and random.random() < (0.25 if tenant else 0.55)
    building = str(random.randint(1, 40)) if deep else ""
    if deep and random.random() < 0.1:
        building = random.choice("ABCDEF") + (building if random.random() < 0.4 else "")
    inside = random.random() < 0.4
    return Spot(
        place,
        road,
        number,
        True,
        random.choice(place.zones) if place.zones and random.random() < 0.7 else "",
        building,
        str(random.randint(1, 6)) if deep and random.random() < 0.35 and place.kind != "village" else "",
        str(random.randint(1, 28)) if inside and place.kind != "village" else "",
        str(random.randint(101, 2805)) if inside and random.random() < 0.25 else "",
        random.choice(words.GATES[:8]) if not tenant and not deep and random.random() < 0.07 else "",
        tenant,
        random.random() < (0.35 if tenant else 0.25 if number else 0.0),
    )


def _on_street(place: Complex, random: Random) -> Spot:
    depth = random.random()
    road = place.roads[0]
    if depth < 0.15:
        return Spot(place, road, named=False)
    tenant = random.choice(place.tenants) if place.tenants and depth < 0.6 else ""
    return Spot(
        place, road, place.number, False, tenant=tenant, floor=str(random.randint(1, 9)) if depth > 0.85 else ""
    )


def listed_spots(place: Complex, random: Random) -> list[Spot]:
    """What the place index holds of *place*: itself, gates, some buildings, its tenants."""
    main, others = place.roads[0], place.roads
    if place.kind == "street":
        shops = [Spot(place, main, _near(place.number, random), False, tenant=t) for t in place.tenants]
        spots = [Spot(place, main, place.number, False), Spot(place, main, named=False), *shops]
        return random.sample(spots, k=min(len(spots), random.randint(1, 4)))
    road = main if random.random() < 0.65 else random.choice(others)
    spots = [Spot(place, road, _door(place, random) if road == main else "", zone=z) for z in ("", *place.zones)]
    for _ in range(random.choice((0, 1, 2, 3, 5))):
        spots.append(_part(place, random))
    spots += [Spot(place, main, _door(place, random), tenant=t, floor=_floor(random)) for t in place.tenants]
    return spots


def same_part(wanted: Spot, place: Complex, random: Random) -> Spot:
    """The part of *place* that carries the number *wanted* asks for: an index of every building finds it."""
    road = place.roads[0] if random.random() < 0.6 else random.choice(place.roads)
    number = _door(place, random) if road == place.roads[0] and random.random() < 0.6 else ""
    zone = wanted.zone if wanted.zone in place.zones else ""
    return Spot(place, road, number, zone=zone, building=wanted.building)


def _part(place: Complex, random: Random) -> Spot:
    road = place.roads[0] if random.random() < 0.5 else random.choice(place.roads)
    number = _door(place, random) if road == place.roads[0] else ""
    if random.random() < 0.6:
        return Spot(place, road, number, gate=random.choice(words.GATES))
    zone = random.choice(place.zones) if place.zones else ""
    return Spot(place, road, number, zone=zone, building=str(random.randint(1, 40)))


def _door(place: Complex, random: Random) -> str:
    """Large places have several doors: an index often names another one than a sender does."""
    return place.number if random.random() < 0.85 else str(random.randint(1, 400))


def _near(number: str, random: Random) -> str:
    """Shops of one stretch of street stand at neighbouring numbers; half of them share one."""
    base = int(number.split("-")[0])
    return number if random.random() < 0.5 else str(max(1, base + random.randint(-40, 40)))


def _floor(random: Random) -> str:
    return str(random.randint(1, 28)) if random.random() < 0.3 else ""


def grade(wanted: Spot, found: Spot, random: Random) -> int:
    """2 the same place; 1 a part, a whole or a neighbour of it; 0 another place. Where people disagree, so do draws."""
    grade = _grade(wanted, found, random)
    if grade and random.random() < OVERSIGHT:
        return 0
    return 1 if grade == 2 and random.random() < STRICTNESS else grade


def _grade(wanted: Spot, found: Spot, random: Random) -> int:
    if wanted.place.area != found.place.area:
        return 0
    if found.bare_road:
        return _grade_road(wanted, found, random)
    if wanted.bare_road:
        return 1 if found.road == wanted.road and found.place.roads[0] == wanted.road else 0
    if wanted.place.kind == "street" or found.place.kind == "street":
        return _grade_street(wanted, found, random)
    if wanted.place.id != found.place.id:
        return _grade_neighbour(wanted, found, random)
    return _grade_inside(wanted, found, random)


def _grade_neighbour(wanted: Spot, found: Spot, random: Random) -> int:
    """Two complexes of one road: the same door is related; another door more so when no name was asked for."""
    if wanted.road != found.road:
        return 0
    if wanted.number and wanted.number == found.number:
        return 1
    return int(random.random() < (0.8 if wanted.silent and not wanted.tenant else 0.2))


def _grade_road(wanted: Spot, found: Spot, random: Random) -> int:
    if found.road != wanted.road:
        return 0
    if wanted.bare_road:
        return 2
    return int(random.random() < (0.9 if _road_only(wanted) else 0.5))


def _grade_street(wanted: Spot, found: Spot, random: Random) -> int:
    if wanted.road != found.road:
        return 0
    if wanted.tenant and wanted.tenant == found.tenant:
        return 2
    if wanted.number and wanted.number == found.number:
        return 1 if wanted.tenant or found.tenant or found.named else 2
    return int(random.random() < (0.85 if _road_only(wanted) else 0.4))


def _road_only(wanted: Spot) -> bool:
    return (wanted.silent or not wanted.named) and not wanted.tenant


def _grade_inside(wanted: Spot, found: Spot, random: Random) -> int:
    if wanted.tenant or found.tenant:
        return 2 if wanted.tenant == found.tenant else 1
    if wanted.zone and found.zone and wanted.zone != found.zone:
        return 1
    if wanted.building:
        if wanted.building == found.building:
            return 2
        return 1
    if found.building or found.gate or wanted.gate:
        return 2 if wanted.gate == found.gate and not found.building else 1
    if wanted.unit or wanted.floor or wanted.room:
        return 2 if random.random() < 0.4 else 1
    return 2 if random.random() < (0.8 if wanted.zone == found.zone else 0.4) else 1
