"""Pairs that differ in exactly one element, where that element decides; and pairs that only look different."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from mgeo.addresses import normalise

from training import lexicon as words
from training.pair import Pair
from training.perturb import abbreviation, disturb
from training.world import Area, World, road_name, stem


@dataclass(frozen=True, slots=True)
class Parts:
    """An address in its elements, "" where unsaid."""

    area: Area
    town: str = ""
    road: str = ""
    lane: str = ""
    number: str = ""
    name: str = ""
    zone: str = ""
    building: str = ""
    unit: str = ""
    floor: str = ""
    room: str = ""
    gate: str = ""
    tenant: str = ""


def decisive_pairs(world: World, random: Random, count: int, first_group: int) -> Iterator[Pair]:
    """*count* pairs; the perturbation names the element that was changed."""
    for group in range(first_group, first_group + count):
        parts = _draw(world, random)
        change, other, label = _changed(parts, world, random)
        both_headed = change in ("district", "landmark")
        if change == "district" and random.random() < 0.4:
            parts, other = _namesakes(parts, world, random)
        a, b = _text(parts, random, both_headed), _text(other, random, both_headed)
        if change == "nothing" and random.random() < 0.4:
            b = a if random.random() < 0.5 else disturb(a, random)[0]
        yield Pair(a, b, label, group, parts.area.province, (change if " " in change else f"{change} changed",), True)


def _namesakes(parts: Parts, world: World, random: Random) -> tuple[Parts, Parts]:
    """The same words in two districts of one name: 鼓楼区 is a part of four cities."""
    one, another = random.sample(random.choice(world.namesakes), 2)
    return replace(parts, area=one), replace(parts, area=another)


def _draw(world: World, random: Random) -> Parts:
    place = random.choice([p for p in random.sample(world.complexes, 12) if p.name] or list(world.complexes[:1]))
    depth = random.random()
    parts = Parts(place.area, place.town if random.random() < 0.3 else "")
    if depth < 0.08:
        return replace(parts, town=place.town)
    parts = replace(parts, road=place.roads[0], number=place.number)
    if random.random() < 0.35:
        parts = replace(parts, number="", lane=f"{random.randint(10, 3999)}弄{random.randint(1, 60)}号")
    if depth < 0.25:
        return parts
    if random.random() < 0.3:
        parts = replace(parts, road="", number="", lane="")
    parts = replace(parts, name=place.name or stem(random) + random.choice(words.ESTATES))
    if depth < 0.5:
        return parts
    if place.kind == "institution" and random.random() < 0.5:
        return replace(parts, tenant=random.choice(words.WINGS))
    if depth < 0.65 and place.tenants:
        return replace(parts, tenant=random.choice(place.tenants), floor=_floor(parts, random))
    zone = random.choice(place.zones) if place.zones else ""
    if zone and random.random() < 0.35:
        return replace(parts, zone=zone)
    unit = random.choice(("", "", "1", "2", "3"))
    room = _room(parts, random) if random.random() < (0.5 if unit else 0.2) else ""
    if not unit and random.random() < 0.15:
        building = random.choice(("", random.choice("ABCDEF")))
        return replace(parts, zone=zone, building=building, floor=_floor(parts, random))
    return replace(parts, zone=zone, building=_building(parts, random), unit=unit, room=room)


def _changed(parts: Parts, world: World, random: Random) -> tuple[str, Parts, int]:
    """(what was changed, the changed parts, the label)."""
    change = random.choice(_changes(parts))
    if change == "nothing":
        return change, parts, 2
    if change == "gate" and (not parts.name or parts.building or parts.tenant):
        return "nothing", parts, 2
    if change in ("unit", "room") and random.random() < 0.6:
        return f"{change} dropped", replace(parts, unit="" if change == "unit" else parts.unit, room=""), 2
    if change in ("building", "tenant") and random.random() < 0.55:
        return f"{change} dropped", replace(parts, building="", unit="", floor="", room="", tenant=""), 1
    return change, _with_another(change, parts, world, random), _label(change, parts, random)


def _changes(parts: Parts) -> list[str]:
    """What may be changed; what is there several times is changed more often."""
    said = [element for element in (*_SELDOM, *_TELLING, *_TELLING) if getattr(parts, element)]
    landmarks = ["landmark"] * 5 if parts.number and not parts.name else []
    return [*said, *landmarks, "district", "gate", "nothing"]


_SELDOM: Final = ("town", "road", "lane", "number", "name")
_TELLING: Final = ("zone", "building", "unit", "floor", "room", "tenant")
"""The world's other pairs seldom say them on both sides."""


def _with_another(change: str, parts: Parts, world: World, random: Random) -> Parts:
    if change == "district":
        others = [area for area in world.areas if area.city != parts.area.city]
        near = [area for area in world.areas if area.city == parts.area.city and area.district != parts.area.district]
        return replace(parts, area=random.choice(near if near and random.random() < 0.4 else others))
    if change == "landmark":
        return replace(parts, road=stem(random))
    other: dict[str, Any] = {change: _another(getattr(parts, change), lambda: _DRAWN[change](parts, random))}
    return replace(parts, **other)


def _another(value: str, draw: Callable[[], str]) -> str:
    """Another one that is not only written in another way, as 1期 is for 一期."""
    while normalise(other := draw()) == normalise(value):
        pass
    return other


def _town(_: Parts, random: Random) -> str:
    return stem(random) + random.choice(words.TOWN_FORMS)


def _road(parts: Parts, random: Random) -> str:
    road = parts.road
    if random.random() < 0.4 and (named := _SIDE.fullmatch(road)):
        return f"{named['stem']}{random.choice(('', '', *'东西南北中'))}{named['kind']}"
    if random.random() < 0.4 and road[-1] in "路街":
        return road[:-1] + ("大道" if random.random() < 0.5 else "街" if road[-1] == "路" else "路")
    return road_name(random)


_SIDE: Final = re.compile("(?P<stem>.{2,}?)[东西南北中]?(?P<kind>大街|大道|路|街)")


def _lane(parts: Parts, random: Random) -> str:
    return f"{random.randint(10, 3999)}弄" + parts.lane.split("弄")[1]


def _number(_: Parts, random: Random) -> str:
    return str(random.randint(1, 900))


def _name(parts: Parts, random: Random) -> str:
    name = parts.name
    at = random.randrange(min(2, len(name)))
    if random.random() < 0.7:
        return name[:at] + random.choice(words.STEM) + name[at + 1 :]
    return stem(random) + name[-2:]


def _zone(_: Parts, random: Random) -> str:
    return random.choice(words.ZONES)


def _building(parts: Parts, random: Random) -> str:
    lettered = parts.building.isalpha() if parts.building else random.random() < 0.15
    return random.choice("ABCDEF") if lettered else str(random.randint(1, 40))


def _unit(_: Parts, random: Random) -> str:
    return str(random.randint(1, 9))


def _floor(_: Parts, random: Random) -> str:
    return str(random.randint(1, 20))


def _room(_: Parts, random: Random) -> str:
    return f"{random.randint(1, 33)}0{random.randint(1, 8)}"


def _gate(_: Parts, random: Random) -> str:
    return random.choice(words.GATES[:12])


def _tenant(parts: Parts, random: Random) -> str:
    if parts.tenant in words.WINGS:
        return random.choice(words.WINGS)
    return random.choice(words.SHOP_BRANDS) if random.random() < 0.4 else stem(random) + random.choice(words.SHOP_KINDS)


_DRAWN: Final[dict[str, Callable[[Parts, Random], str]]] = {
    "town": _town, "road": _road, "lane": _lane, "number": _number, "name": _name, "zone": _zone,
    "building": _building, "unit": _unit, "floor": _floor, "room": _room, "gate": _gate, "tenant": _tenant,
}  # fmt: skip
"""Another value of an element."""


def _label(change: str, parts: Parts, random: Random) -> int:
    if change == "town":
        return 0 if not (parts.road or parts.name) else 1
    if change == "road" and parts.name and not parts.number:
        return 1
    if change == "number":
        return 1 if parts.name or random.random() < 0.5 else 0
    if change in ("district", "road", "lane", "name"):
        return 0
    return 1


def _text(parts: Parts, random: Random, headed: bool) -> str:
    area = parts.area
    city = area.city if area.city != area.province else ""
    heads = (area.province + city + area.district, area.city + area.district, area.short_city + area.short_district)
    head = random.choice(heads if headed else (*heads[:2], area.district, area.district, "", ""))
    town = parts.town
    if town.endswith("街道"):
        town += random.choice(("办事处", "办", "", ""))
    name = abbreviation(parts.name, random) if random.random() < 0.15 else parts.name
    name = random.choice(words.DEVELOPERS) + name if parts.name and random.random() < 0.05 else name
    door = parts.lane or (parts.number + "号" if parts.number else "")
    inner = name + parts.zone + (parts.building + random.choice(words.BUILDING_FORMS) if parts.building else "")
    inner += (parts.unit + "单元" if parts.unit else "") + (parts.floor + random.choice("层楼F") if parts.floor else "")
    inner += parts.room + (random.choice(("室", "室", "")) if parts.room else "")
    gate = (f"({parts.gate})" if random.random() < 0.5 else parts.gate) if parts.gate else ""
    text = head + town + parts.road + door + inner + gate + parts.tenant
    return disturb(text, random)[0] if random.random() < 0.5 else text
