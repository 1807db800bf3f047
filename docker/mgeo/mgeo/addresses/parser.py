"""Split one Chinese address into its elements; linear in the length of the text, never an error."""

import re
from dataclasses import dataclass
from typing import Final

from mgeo.addresses.divisions import Divisions
from mgeo.addresses.normalise import normalise

_N: Final = r"(?:[甲乙丙丁]?[a-z]?\d{1,6}[a-z]?(?:[-之/、.至][a-z]?\d{1,5}[a-z]?){0,3}|[a-z]{1,2}\d{0,3}|[甲乙丙丁])"
_TOKEN: Final = re.compile(
    r"(?P<gate>(?:[东西南北]{1,2}|[正后前侧大])?(?:\d?号?门|\d{0,2}号?(?:入口|出口|出入口))(?![诊店牌面窗厅业口市头])|(?<![a-z])(?:[a-h]\d{0,2}出?|\d{1,2}号?)口(?![腔语岸味]))"
    r"|(?P<crossing>(?:的)?(?:交叉路?口|交汇处?|交接处|路口|交口)(?P<side>(?:往?[东西南北]{1,2}(?:侧|面|边|方向|角)?)?(?:\d{1,5}米)?))"
    r"|(?P<offset>往?[东西南北]{1,2}(?:侧|面|边|行)?约?\d{1,5}(?:米|公里)|\d{1,5}米|附近|旁边|对面|隔壁|与|[,;()。、:/])"
    r"|(?:地铁|轻轨|轨道交通)?(?P<route>[sxygn]?\d{1,4}(?:国道|省道|县道|乡道|号公路|号线(?![缆上下条材路]))|[国省县乡]道\d{1,4})"
    rf"|(?<=[道路速线])(?:k(?P<stone>\d{{1,4}}(?:\+\d{{1,3}})?)(?:公里)?(?:处|(?=[,;()。、:]|$))|(?P<km>\d{{1,4}})公里处?)"
    r"|(?P<zone>(?:[东西南北中a-z]|\d{1,2})(?:区|期)(?!域))"
    r"|(?P<annex>[附临]\d{1,3}号(?![楼院栋幢座]))"
    rf"|(?P<n>{_N})(?P<u>号[附临]\d{{1,3}}(?:号(?![楼院栋幢座])|(?=[,;()。、:]|$))|号[之-]\d{{1,3}}号?(?![-\d号层楼f院栋幢座单室房])"
    r"|号(?:航站楼|厂房|仓库?|柜|馆|车间)|号[甲乙丙丁](?![楼院栋幢座])"
    r"|航站楼|号楼|号院|号[栋幢座]|#楼|#|栋|幢|座|号门|号(?!线(?![缆上下条材路]))|支弄|弄|单元|层|楼|室|房|f(?![a-z])|[大小]?[组队]|[社连团](?!区)|排|巷)"
    r"|(?P<name>[^\d,;()。、:/与]{1,12}?)"
    r"(?P<s>街道办事处|街道办|街道(?![口与和])|办事处|开发区|高新区|村委会|居委会|社区|镇(?![江海平雄宁远]|中[路街学心])|乡(?![村下街])|大道|大街|公路|高速"
    r"|胡同|路(?!局|街道)|街(?!道)|(?<!小)巷(?!子)|线(?=[与东西南北\d]|$)|道(?=[\d与]|$)|(?<!新)村(?=[\d东西南北中(]|$))"
    r"(?P<tail>[东西南北中]?\d{1,2}段|[东西南北中]段|[东西南北](?=\d{1,5}号)|)"
    r"|(?P<text>[^\d,;()。、:/]{1,24}?(?=\d|[,;()。、:/]|[a-z]\d|[a-z][座栋区幢]|(?<![a-z])[a-h]\d{0,2}出?口(?![腔语岸味])|(?<=...)[东西南北中]区(?=[\d,;()。、:]|$)|附近|$)|[^\d,;()。、:/]{1,24}|.)",
    re.DOTALL,
)
_UNITS: Final[dict[str, str]] = {
    "号": "number", "号院": "number", "号门": "number", "号之": "number", "号附": "number", "号-": "number",
    "号临": "number", "号甲": "number", "号乙": "number", "号丙": "number", "号丁": "number",
    "弄": "lane", "支弄": "lane", "巷": "lane", "单元": "unit", "层": "floor", "楼": "floor", "f": "floor",
    "室": "room", "房": "room", "排": "group",
}  # fmt: skip
"""By the first two characters: 号之 is a number's branch, 12号之1."""
_WITHIN: Final = frozenset({"支弄", "连"})
"""Said after the larger one that they are a part of: 955弄14支弄, 143团5连."""
_TOWNS: Final = frozenset({"街道办事处", "街道办", "街道", "办事处", "镇", "乡", "开发区", "高新区"})
_VILLAGES: Final = frozenset({"村委会", "居委会", "社区", "村"})
_GATE_IN_TEXT: Final = re.compile(r"(?<=.)((?:东南|西南|东北|西北|[东西南北正后]\d?)(?:门|入口|出口))$")
_WING_IN_TEXT: Final = re.compile("(?<=..)((?:急诊|门诊|住院|医技|教学|实验|行政|办公|综合|宿舍|科研)大?楼|住院部)$")
_ROUTE: Final = re.compile("[a-z]?([0-9]+)([国省县乡]道)|([国省县乡]道)([0-9]+)")
_ASIDE: Final = re.compile(r"\(([^()]{0,60})\)?")


@dataclass(slots=True)  # one is made for every text, and freezing would triple what that costs
class ParsedAddress:
    """Elements in normalised spelling; empty where the address does not say."""

    province: str = ""
    city: str = ""
    district: str = ""
    town: str = ""
    village: str = ""
    road: str = ""
    crossroad: str = ""
    lane: str = ""
    number: str = ""
    group: str = ""
    poi: str = ""
    phase: str = ""
    zone: str = ""
    building: str = ""
    wing: str = ""
    unit: str = ""
    floor: str = ""
    room: str = ""
    code: str = ""
    """Letters and digits that do not say what they are: a room, a terminal, a stall."""
    gate: str = ""
    side: str = ""
    """Of a crossing."""
    aside: str = ""
    crossing: bool = False


@dataclass(slots=True)
class Address(ParsedAddress):
    """The elements and what the scorer reads besides: *rest* is the text below the divisions, *pieces* all names."""

    rest: str = ""
    stated: frozenset[str] = frozenset()
    """The divisions' levels that the text itself names; the others follow from them."""
    pieces: tuple[str, ...] = ()


def parse(text: str, divisions: Divisions) -> Address:
    """The elements of *text*, read from the largest to the smallest; a word said twice keeps its first place."""
    return parse_normalised(normalise(text), divisions)


def parse_normalised(text: str, divisions: Divisions) -> Address:
    """As `parse`, for text that `normalise` has already treated."""
    place = divisions.locate(text)
    rest = text[place.end :]
    aside, plain = "", rest
    if "(" in rest:
        aside, plain = " ".join(_ASIDE.findall(rest)), _ASIDE.sub(",", rest)
    reading = _Reading()
    for match in _TOKEN.finditer(plain):
        reading.take(match)
    if aside and not reading.found.get("gate") and (gate := _GATE_IN_TEXT.search("," + aside)):
        reading.found["gate"] = gate.group(1)
    found = reading.found
    return Address(
        place.province,
        place.city,
        place.district,
        **found,
        poi=reading.pieces[-1] if reading.pieces else "",
        aside=aside,
        crossing=reading.crossing,
        rest=rest,
        stated=place.stated,
        pieces=tuple(reading.pieces),
    )


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.pieces: list[str] = []
        self.crossing = False

    def take(self, match: re.Match[str]) -> None:
        kind = match.lastgroup  # the last group of the alternative that matched
        if kind == "u":
            self._numbered(match["n"], match["u"])
        elif kind == "tail":
            self._named(match["name"], match["s"], match["tail"])
        elif kind == "text":
            self._text(match["text"])
        elif kind == "crossing":
            self.crossing = True
            self.found.setdefault("side", match["side"])
        elif kind == "route":
            self._road(_ROUTE.sub(r"\1\4\2\3", match["route"]))
        elif kind == "annex":
            self.found.setdefault("number", match["annex"])
        elif kind in ("stone", "km"):
            self.found.setdefault("number", match[kind] + "公里")
        elif kind == "gate":
            self.found.setdefault("gate", match.group())
        elif kind == "zone":
            self.found.setdefault("phase" if match.group()[-1] == "期" else "zone", match.group())

    def _numbered(self, number: str, unit: str) -> None:
        element = _UNITS.get(unit[:2], "group" if unit[-1] in "组队社连团" else "building")
        if unit in _WITHIN:
            number = self.found.pop(element, "") + number
        if element == "floor" and self.found.get("floor", "").endswith("楼"):
            self.found.setdefault("building", self.found.pop("floor"))  # 3楼5层
        self.found.setdefault(element, number + unit)

    def _named(self, name: str, suffix: str, tail: str) -> None:
        if suffix in _TOWNS:
            self.found.setdefault("town", name + suffix)
        elif suffix in _VILLAGES:
            self.found.setdefault("village", name + suffix)
        else:
            self._road(name + suffix + tail)

    def _road(self, road: str) -> None:
        if self.found.setdefault("road", road) != road:
            self.found.setdefault("crossroad", road)

    def _text(self, text: str) -> None:
        if len(text) == 1 and text.isascii():
            self.found["code"] = self.found.get("code", "") + text
            return
        if gate := _GATE_IN_TEXT.search(text):
            self.found.setdefault("gate", gate.group(1))
            text = text[: gate.start()]
        if text[-1:] in ("楼", "部") and (wing := _WING_IN_TEXT.search(text)):
            self.found.setdefault("wing", wing.group(1))
            text = text[: wing.start()]
        if len(text) > 1:
            self.pieces.append(text)
