"""Official administrative divisions: a small read-only gazetteer loaded from ``divisions.tsv``."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast, get_args

from mgeo.addresses.normalise import normalise

Level = Literal["province", "city", "district"]
MUNICIPALITIES: Final = frozenset({"11", "12", "31", "50"})
_ITSELF: Final = {level: frozenset({level}) for level in get_args(Level)}
_NOTHING: Final = frozenset[str]()
_MUNICIPALITY: Final = frozenset({"province", "city"})
_SEPARATORS: Final = frozenset(",，、;；。.·/-|:")
_GENERIC: Final = frozenset({"东区", "西区", "城区", "郊区", "矿区"})
_NOT_A_DIVISION: Final = re.compile(
    "[路街道巷线桥山河湖村镇乡站港里门弄坊名]|[0-9](?![0-9]?[院中小])|大[学厦道街]|国道|高速|广场|公园|花园|小区|酒店|公司|银行|人家|家园"
)
_ROAD_AHEAD: Final = re.compile(".{0,2}(?:路|街(?!道)|大道|巷|桥|村)")
"""What follows a short name when it is not a division after all but the stem of a road or a place (南京路)."""


@dataclass(frozen=True, slots=True)
class Division:
    """One division; *parent* is the code one level up ("" for a province), *shorts* its other names."""

    code: str
    name: str
    level: Level
    parent: str
    shorts: tuple[str, ...] = ()


class Located(NamedTuple):
    """What the head of a text names ("" where unknown or ambiguous), and where the rest begins."""

    province: str = ""
    city: str = ""
    district: str = ""
    end: int = 0
    stated: frozenset[str] = frozenset()
    """The levels the text itself names; the others follow from them."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a name may mean. *whole*: it is the official name; *below*: the codes it may be said after."""

    division: Division
    whole: bool
    below: frozenset[str]


@dataclass(frozen=True, slots=True)
class Divisions:
    """Divisions by code and by every name they go by, all names in normalised spelling."""

    by_code: dict[str, Division] = field(default_factory=dict)
    readings: dict[str, tuple[_Reading, ...]] = field(default_factory=dict)
    """By name."""
    names: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Code -> province, city and district; a municipality is its own city (北京市/北京市/海淀区)."""
    lengths: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """First two characters -> the lengths of the names that begin so, longest first."""

    @classmethod
    def of(cls, rows: Iterable[Division]) -> "Divisions":
        by_code = {d.code: d for d in rows}
        chains = {code: tuple(_upwards(division, by_code)) for code, division in by_code.items()}
        readings: dict[str, list[_Reading]] = {}
        for division in by_code.values():
            for name in dict.fromkeys(normalise(n) for n in (division.name, *division.shorts)):
                whole = name == normalise(division.name)
                readings.setdefault(name, []).append(_Reading(division, whole, _may_follow(chains[division.code])))
        lengths: dict[str, set[int]] = {}
        for name in readings:
            lengths.setdefault(name[:2], set()).add(len(name))
        return cls(
            by_code,
            {name: tuple(found) for name, found in readings.items()},
            {code: _names(chain) for code, chain in chains.items()},
            {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()},
        )

    @classmethod
    def load(cls, path: Path) -> "Divisions":
        """Read ``divisions.tsv``: code, name, level, parent, other names joined by ``|``. ValueError on a bad line."""
        lines = path.read_text(encoding="utf-8").splitlines()
        return cls.of(_row(path, number, line) for number, line in enumerate(lines, 1) if line)

    def locate(self, text: str) -> Located:
        """Read province, city and district from the head of normalised *text*; known upper levels are filled in."""
        end, stated = 0, _NOTHING
        known: tuple[Division, ...] = ()
        while (step := self._next(text, end, known)) is not None:
            known, end = step
            for division in known:
                stated |= _stated(division)
            if text[end : end + 1] in _SEPARATORS:
                end += 1
        if not known:
            return Located(end=end)
        if len(known) == 1:
            return Located(*self.names[known[0].code], end, stated)
        province, city, district = map(_agreed, zip(*[self.names[one.code] for one in known], strict=True))
        return Located(province, city, district, end, stated)

    def _next(self, text: str, start: int, known: tuple[Division, ...]) -> tuple[tuple[Division, ...], int] | None:
        for length in self.lengths.get(text[start : start + 2], ()):
            stop = start + length
            name = text[start:stop]
            readings = self.readings.get(name)
            if (
                readings
                and len(name) == length
                and self._is_whole(readings, text, stop)
                and (fits := _fitting(readings, known, name, self._following(text, stop)))
            ):
                return fits, stop
        return None

    def _following(self, text: str, stop: int) -> str:
        """What follows, as far as it may tell that a name is none; a province's city may begin like a river (河池)."""
        return "" if text[stop : stop + 2] in self.lengths else text[stop : stop + 3]

    def _is_whole(self, readings: tuple[_Reading, ...], text: str, stop: int) -> bool:
        """Whether a name ends at *stop*: in 青岛市南区 the 市 belongs to what follows."""
        if text[stop - 1] != "市":
            return True
        codes = [reading.division.code for reading in readings]
        following = self.readings.get("市" + text[stop : stop + 2], ())
        return not any(reading.whole and not reading.below.isdisjoint(codes) for reading in following)


def _fitting(
    readings: tuple[_Reading, ...], known: tuple[Division, ...], name: str, following: str
) -> tuple[Division, ...]:
    if name[-1] == "市" and following[:1] == "场":
        return ()
    if known:
        codes = [one.code for one in known]
        readings = tuple([r for r in readings if not r.below.isdisjoint(codes)])
    return tuple([r.division for r in readings if _fits(r, bool(known), name, following)])


def _fits(reading: _Reading, inside: bool, name: str, following: str) -> bool:
    """Whether *name* is a division here; *inside* one that was read before."""
    if reading.whole and (inside or name not in _GENERIC):
        return True
    if reading.division.level == "district" and not inside:
        return name[-1] in "县区市" and name not in _GENERIC
    if not inside and _ROAD_AHEAD.match(following):
        return False
    return _NOT_A_DIVISION.match(following) is None


def _may_follow(chain: tuple[Division, ...]) -> frozenset[str]:
    """All above, and the division itself said twice (上海市上海市) unless it is a district."""
    return frozenset(d.code for d in chain[chain[0].level == "district" :])


def _upwards(division: Division, by_code: dict[str, Division]) -> Iterator[Division]:
    step: Division | None = division
    while step is not None:
        yield step
        step = by_code.get(step.parent)


def _row(path: Path, number: int, line: str) -> Division:
    cells = line.split("\t")
    if len(cells) != 5 or cells[2] not in get_args(Level):
        raise ValueError(f"{path.name} line {number}: wanted code, name, level, parent, other names; got {line[:60]!r}")
    code, name, level, parent, shorts = cells
    return Division(code, name, cast(Level, level), parent, tuple(filter(None, shorts.split("|"))))


def _names(chain: tuple[Division, ...]) -> tuple[str, str, str]:
    named = {d.level: d.name for d in chain}
    province = named.get("province", "")
    city = province if chain[0].code[:2] in MUNICIPALITIES else named.get("city", "")
    return province, city, named.get("district", "")


def _agreed(names: tuple[str, ...]) -> str:
    """The name all readings share at one level; "" when they differ."""
    return names[0] if len({*names}) == 1 else ""


def _stated(division: Division) -> frozenset[str]:
    if division.level == "province" and division.code[:2] in MUNICIPALITIES:
        return _MUNICIPALITY
    return _ITSELF[division.level]
