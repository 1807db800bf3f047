"""One address made ready for comparison: parsed once, weighed once, reusable in any number of pairs."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import add
from typing import Final, NamedTuple

from mgeo.addresses import Address, Divisions, canonical, normalise, parse_normalised

Rarity = Callable[[str, float], float]
NGRAMS: Final = (1, 2, 3)
_NOISE: Final = re.compile(
    r"(?:交叉路?口|交汇处?|交接处|路口|交口)?(?:往?[东西南北]{1,2}(?:侧|面|边|方向)?)?\d{1,5}米|交叉路?口|交汇处?|附近|旁边?|对面|隔壁|[,;。、·:\-_]"
)
_MAY_BE_NOISY: Final = re.compile(r"[米口汇近旁对隔,;。、·:\-_]")  # one of these is in every kind of noise
_SIGNS: Final = re.compile(r"(?<![0-9a-z])[(),;。、·:]|[(),;。、·:](?![0-9a-z])")
_BRACKETED: Final = re.compile(r"\([^()]*\)?")
_BARE: Final = re.compile(
    r"[甲乙丙丁附临]?[a-z]*\d*[a-z]?(?:(?:号[之附临-]|[-之/、.至+])[a-z]?\d+[a-z]?|(?:支?弄|团)\d+|号[甲乙丙丁])*"
)
_BRANCH: Final = re.compile("号[之附临-]|之|支?弄|团|号(?=[甲乙丙丁])")
_NUMBERED: Final = ("number", "lane", "building", "unit", "floor", "room", "group", "phase", "zone")
_SIDE_WORDS: Final = str.maketrans("", "", "往侧面边方向角")
_GATE_WORDS: Final = re.compile("[号出](?=.)")
_DIGITS: Final = re.compile(r"[a-z]?\d+[a-z]?")
_PLACE_WORD: Final = re.compile(
    "小区|花园|公寓|大厦|广场|家园|新村|工业园|工业区|科技园|产业园|有限公司|公司|酒店|超市|便利店|学校|小学|中学|大学|学院|医院|宾馆|"
    "中心|市场|商场|花苑|佳苑|名苑|雅苑|嘉园|新苑|苑|园|城|府|庭|居|楼|厂|店|村|庄|里|街|路"
)


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of the language that addresses are written in."""

    rarity: dict[str, float]
    """Of character n-grams: ln(documents / seen in)."""
    unseen: float
    """The rarity of those that are not listed."""
    sounds: dict[int, int] = field(default_factory=dict)
    """Code point -> that of one character for all that sound the same; may be missing."""


class Grams(NamedTuple):  # made six times per text, and cheaper to make than a dataclass
    """Weight per n-gram, the sum of the weights, and their length as a vector."""

    weights: dict[str, float]
    total: float
    norm: float = 0.0


class Prepared(NamedTuple):
    """All that a pair comparison needs to know of one side."""

    text: str
    address: Address
    local: str
    """Canonical text below the divisions, without brackets, offsets and punctuation."""
    whole: str
    """Canonical text below the divisions, with everything."""
    plain: str
    """`whole` without brackets and other signs, save those between two numbers; what stands in brackets is there."""
    grams: tuple[Grams, ...]
    """For n = 1, 2, 3: tf-idf of the n-grams of `whole`."""
    name: str
    """Canonical name of the finest named place."""
    names: tuple[str, ...]
    name_grams: tuple[Grams, ...]
    """For each of `names`: rarity of its 1- and 2-grams."""
    roads: tuple[str, ...]
    sound: str
    """`whole` by its sound, and so are the next two."""
    name_sound: str
    road_sounds: tuple[str, ...]
    numbers: frozenset[str]
    keys: dict[str, str]
    """Element -> its bare identity (building 6号楼 -> 6)."""
    kind: str
    """The word that says what kind of place the finest name is (小区, 公司, ...); "" when unclear."""


def prepare(text: str, divisions: Divisions, language: Language) -> Prepared:
    rarity, unseen, sounds = language.rarity.get, language.unseen, language.sounds
    address = parse_normalised(normalise(text), divisions)
    whole = canonical(address.rest)
    local = _BRACKETED.sub("", whole) if "(" in whole else whole
    if _MAY_BE_NOISY.search(local):
        local = _NOISE.sub("", local)
    names = tuple([canonical(p) for p in address.pieces])
    name = names[-1] if names else ""
    roads = tuple([canonical(r) for r in (address.road, address.crossroad) if r])
    kinds = _PLACE_WORD.findall(name)
    return Prepared(
        text=text,
        address=address,
        local=local,
        whole=whole,
        plain=_SIGNS.sub("", whole),
        grams=tuple([_tfidf(grams, rarity, unseen) for grams in _ngrams(whole)]),
        name=name,
        names=names,
        name_grams=tuple([_name_grams(n, rarity, unseen) for n in names]),
        roads=roads,
        sound=whole.translate(sounds),
        name_sound=name.translate(sounds),
        road_sounds=tuple([road.translate(sounds) for road in roads]),
        numbers=frozenset(_DIGITS.findall(local)),
        keys=_keys(address),
        kind=kinds[-1] if kinds else "",
    )


def _ngrams(text: str) -> tuple[list[str], ...]:
    """The n-grams of *text* for each of `NGRAMS`, joined in C: this is most of the work on a text."""
    pairs = list(map(add, text, text[1:]))
    return list(text), pairs, list(map(add, pairs, text[2:]))


def _tfidf(grams: list[str], rarity: Rarity, unseen: float) -> Grams:
    found = {gram: rarity(gram, unseen) for gram in grams}
    if len(found) < len(grams):
        found = dict.fromkeys(found, 0.0)
        for gram in grams:
            found[gram] += rarity(gram, unseen)
    values = found.values()
    return Grams(found, sum(values), math.hypot(*values))


def _name_grams(name: str, rarity: Rarity, unseen: float) -> Grams:
    found = {gram: rarity(gram, unseen) for gram in [*name, *map(add, name, name[1:])]}
    return Grams(found, sum(found.values()))


def _keys(address: Address) -> dict[str, str]:
    keys = {element: bare(value) for element in _NUMBERED if (value := getattr(address, element))}
    if address.gate:
        keys["gate"] = _GATE_WORDS.sub("", canonical(address.gate))
    if code := address.code.strip("-"):
        keys["code"] = code
    if address.side:
        keys["side"] = address.side.translate(_SIDE_WORDS)
    if address.wing:
        keys["wing"] = address.wing[:2]
    return keys


def bare(value: str) -> str:
    """The identity inside a numbered element: 06号楼 -> 6, b座 -> b, 甲12号 -> 甲12, 12号之1 -> 12-1."""
    found = _BARE.match(value)
    return _BRANCH.sub("-", found.group() if found else "").lstrip("0") or value
