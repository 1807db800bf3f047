"""Pairs that differ in exactly one element, where that element decides; and pairs that only look different."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

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
        if random.random() < 0.3:
            a, b = b, a  # nobody promises which side says more
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
    if depth < 0.65 and place.tenants:
        return replace(parts, tenant=random.choice(place.tenants), floor=str(random.randint(1, 20)))
    zone = random.choice(place.zones) if place.zones else ""
    if zone and random.random() < 0.35:
        return replace(parts, zone=zone)
    unit = random.choice(("", "", "1", "2", "3"))
    room = _room(random) if random.random() < (0.5 if unit else 0.2) else ""
    return replace(parts, zone=zone, building=str(random.randint(1, 40)), unit=unit, room=room)


def _changed(parts: Parts, world: World, random: Random) -> tuple[str, Parts, int]:
    """(what was changed, the changed parts, the label)."""
    options = [e for e in _CHANGES if e in ("district", "gate") or getattr(parts, e)]
    if parts.number and not parts.name:
        options += ["landmark"] * 5
    options += [element for element in _TELLING if getattr(parts, element)]
    change = random.choice([*options, "nothing"])
    if change == "nothing":
        return change, parts, 2
    if change == "gate" and (not parts.name or parts.building or parts.tenant):
        return "nothing", parts, 2
    if change in ("unit", "room") and random.random() < 0.6:
        return f"{change} dropped", replace(parts, unit="" if change == "unit" else parts.unit, room=""), 2
    if change in ("building", "tenant") and random.random() < 0.55:
        return f"{change} dropped", replace(parts, building="", unit="", floor="", room="", tenant=""), 1
    return change, _with_another(change, parts, world, random), _label(change, parts, random)


_CHANGES: Final = (
    "district", "town", "road", "lane", "number", "name", "zone", "building", "unit", "room", "gate", "tenant",
)  # fmt: skip
_TELLING: Final = ("zone", "building", "unit", "room", "tenant")
"""Changed more often: the world's other pairs seldom say them on both sides."""


def _with_another(change: str, parts: Parts, world: World, random: Random) -> Parts:
    if change == "district":
        return replace(parts, area=random.choice([a for a in world.areas if a.city != parts.area.city]))
    if change == "number":
        return replace(parts, number=_another(parts.number, lambda: str(random.randint(1, 900))))
    if change == "lane":
        return replace(
            parts, lane=_another(parts.lane, lambda: f"{random.randint(10, 3999)}弄" + parts.lane.split("弄")[1])
        )
    if change == "building":
        return replace(parts, building=_another(parts.building, lambda: str(random.randint(1, 40))))
    if change == "unit":
        return replace(parts, unit=_another(parts.unit, lambda: str(random.randint(1, 9))))
    if change == "room":
        return replace(parts, room=_another(parts.room, lambda: _room(random)))
    if change == "landmark":
        return replace(parts, road=stem(random))
    if change == "road":
        return replace(parts, road=_another_road(parts.road, random))
    if change == "name":
        return replace(parts, name=_another_name(parts.name, random))
    if change == "town":
        return replace(parts, town=stem(random) + random.choice(words.TOWN_FORMS))
    if change == "tenant":
        brand = random.random() < 0.4
        made = random.choice(words.SHOP_BRANDS) if brand else stem(random) + random.choice(words.SHOP_KINDS)
        return replace(parts, tenant=made)
    if change == "zone":
        return replace(parts, zone=_another(parts.zone, lambda: random.choice(words.ZONES)))
    return replace(parts, gate=random.choice(words.GATES[:12]))


def _another(value: str, draw: Callable[[], str]) -> str:
    """Another one that is not only written in another way, as 1期 is for 一期."""
    while normalise(other := draw()) == normalise(value):
        pass
    return other


def _room(random: Random) -> str:
    return f"{random.randint(1, 33)}0{random.randint(1, 8)}"


def _another_road(road: str, random: Random) -> str:
    if random.random() < 0.4 and road[-1] in "路街":
        return road[:-1] + ("大道" if random.random() < 0.5 else "街" if road[-1] == "路" else "路")
    return road_name(random)


def _another_name(name: str, random: Random) -> str:
    at = random.randrange(min(2, len(name)))
    if random.random() < 0.7:
        return name[:at] + random.choice(words.STEM) + name[at + 1 :]
    return stem(random) + name[-2:]


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
    name = abbreviation(parts.name, random) if random.random() < 0.1 else parts.name
    door = parts.lane or (parts.number + "号" if parts.number else "")
    inner = name + parts.zone + (parts.building + random.choice(words.BUILDING_FORMS) if parts.building else "")
    inner += (parts.unit + "单元" if parts.unit else "") + (parts.floor + random.choice("层楼F") if parts.floor else "")
    inner += parts.room + (random.choice(("室", "室", "")) if parts.room else "")
    gate = (f"({parts.gate})" if random.random() < 0.5 else parts.gate) if parts.gate else ""
    text = head + town + parts.road + door + inner + gate + parts.tenant
    return disturb(text, random)[0] if random.random() < 0.5 else text
