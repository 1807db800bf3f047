"""Write a spot down: as a sender would (`written`) and as a place index would (`indexed`)."""

from random import Random

from training import lexicon as words
from training.perturb import abbreviation, chinese_numeral, disturb
from training.spots import Spot


def written(spot: Spot, random: Random) -> tuple[str, tuple[str, ...]]:
    """A sender's text for *spot* and the names of what makes it differ from the official way."""
    area, place = spot.place.area, spot.place
    said: list[str] = []
    head, dropped = _head(spot, random)
    if dropped:
        said.append("level dropped")
    road = spot.road if not spot.named or random.random() < 0.62 else ""
    street = road + (_number(spot, random) if road and spot.number else "")
    name, renamed = _name(spot, random)
    said += renamed
    inner = name + _inside(spot, random)
    body = street + inner
    if street and inner and random.random() < 0.06:
        body = inner + ("(" + street + ")" if random.random() < 0.5 else street)
        said.append("order changed")
    if spot.named and random.random() < 0.06:
        body += random.choice(words.LANDMARKS) if random.random() < 0.4 else random.choice(words.QUERY_TAILS)
        said.append("landmark added")
    if random.random() < 0.02 and area.district:
        body = area.short_district + body
    text, slips = disturb(head + body, random)
    if place.alias != place.name and place.alias in text:
        said.append("alias")
    return text, (*said, *slips)


def _head(spot: Spot, random: Random) -> tuple[str, bool]:
    """Divisions and town; whether a level between the first and the last said is left out.

    Full addresses come from those who know the place, and such places are seldom missing from an index.
    """
    area, style = spot.place.area, random.random()
    style = 0.75 * style if spot.place.listed else style**0.5
    province, city, district = area.province, area.city, area.district
    if province == city:
        province = province if random.random() < 0.2 else ""
    if style < 0.19:
        head, dropped = province + city + district, False
    elif style < 0.25:
        head, dropped = city + district, False
    elif style < 0.30:
        head, dropped = area.short_city + area.short_district, True
    elif style < 0.40:
        head, dropped = random.choice((city, district, area.short_city + "市" if city.endswith("市") else city)), True
    elif style < 0.43:
        head, dropped = province + district, True
    else:
        head, dropped = "", True
    needs_town = spot.place.kind == "village" or style < 0.3
    if random.random() < (0.65 if needs_town else 0.22):
        town = spot.place.town
        head += town + "办事处" if town.endswith("街道") and random.random() < 0.15 else town
    return head, dropped


def _number(spot: Spot, random: Random) -> str:
    if spot.place.lane and spot.named:
        return spot.place.lane if random.random() < 0.6 else spot.place.lane + str(random.randint(1, 80)) + "号"
    return spot.number + random.choices(("号", "", "号院"), (20, 1, 1))[0]


def _name(spot: Spot, random: Random) -> tuple[str, list[str]]:
    if not spot.named:
        return spot.tenant, []
    name = spot.place.alias if random.random() < 0.3 else spot.place.name
    said: list[str] = []
    if random.random() < 0.13 and (short := abbreviation(name, random)) != name:
        name, said = short, ["abbreviation"]
    if spot.silent:
        return spot.zone, ["name dropped"]
    return name + spot.zone, said


def _inside(spot: Spot, random: Random) -> str:
    text = ""
    if spot.building and spot.place.kind == "village":
        group = f"{random.randint(1, 20)}组" if random.random() < 0.35 else ""
        text += group + spot.building + random.choice(("号", "栋", "号"))
    elif spot.building:
        text += spot.building + (random.choice(words.BUILDING_FORMS) if random.random() < 0.85 else "号")
    if spot.unit:
        text += (chinese_numeral(int(spot.unit)) if random.random() < 0.5 else spot.unit) + "单元"
    if spot.floor:
        text += spot.floor + random.choices(("楼", "层", "F"), (5, 3, 1))[0]
    text += spot.room + ("室" if spot.room and random.random() < 0.6 else "") + spot.gate
    tenant = spot.tenant if spot.named else ""
    if tenant and random.random() < 0.25:
        tenant = abbreviation(tenant, random)
    return text + tenant


def indexed(spot: Spot, random: Random) -> str:
    """A place index's text for *spot*: where it stands, then the name, gates and branches in brackets."""
    area = spot.place.area
    if spot.bare_road:
        other = random.choice(spot.place.area.roads)
        return area.district + spot.road + (f"与{other}交叉口" if random.random() < 0.3 and other != spot.road else "")
    name = _listed_name(spot, random)
    text = _where(spot, name, random) + name
    if random.random() < 0.03:
        text += random.choice(("号", "一楼", "(出租)", "(建设中)", "(暂停营业)"))
    return text


def _listed_name(spot: Spot, random: Random) -> str:
    if not spot.named:
        return spot.tenant + (f"({spot.road}店)" if spot.tenant and random.random() < 0.12 else "")
    if spot.tenant:
        return _listed_tenant(spot, random)
    name = spot.place.name + spot.zone
    if spot.building:
        part = spot.building + random.choices(("号楼", "栋", "幢", "座", "号"), (12, 4, 3, 1, 2))[0]
        again = name + (f"({spot.road}{random.choice('东西南北')})" if random.random() < 0.5 else "")
        return (again if random.random() < 0.2 else "") + name + part
    if spot.gate:
        return f"{name}({spot.gate})"
    aside = (
        f"({random.choice((spot.road, spot.place.area.short_city, spot.place.town))})" if random.random() < 0.07 else ""
    )
    return name + aside


def _listed_tenant(spot: Spot, random: Random) -> str:
    style = random.random()
    floor = spot.floor + random.choice(("层", "楼", "F")) if spot.floor else ""
    room = str(random.randint(101, 2805)) if random.random() < 0.2 else ""
    branch = f"({random.choice((spot.place.stem, spot.place.name, spot.place.area.short_district))}店)"
    inside = (spot.place.name if random.random() < 0.6 else "") + floor + room
    return (
        inside + spot.tenant + (branch if style < 0.11 else f"({random.choice(words.GATES)})" if style < 0.13 else "")
    )


def _where(spot: Spot, name: str, random: Random) -> str:
    area, place = spot.place.area, spot.place
    if place.kind == "village" and random.random() < 0.55:
        return random.choice((area.district, place.town, area.district + place.town))
    style = random.random()
    if not spot.named:
        style = 0.3 + style * 0.3
    if style < 0.17:
        return area.district if random.random() < 0.9 else area.short_city
    if style < 0.22:
        return place.town + spot.road + (spot.number + "号" if spot.number else "")
    if style < 0.70:
        number = (place.lane if place.lane and spot.named else spot.number + "号") if spot.number else ""
        return spot.road + (number or f"{random.choice('东西南北')}{random.choice((50, 100, 150, 200))}米")
    if style < 0.88:
        other, side = random.choice(area.roads), random.choice(("东", "西", "南", "北", "东南", "西南", "东北", "西北"))
        return f"{other}与{spot.road}交叉口{side}{random.choice((50, 100, 150, 200))}米"
    if style < 0.96:
        return f"{spot.road}{random.randint(1, 400)}号附近"
    return f"{name}({spot.road}{random.choice('东西南北')})" if "(" not in name else spot.road
