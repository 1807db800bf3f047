"""One spelling for one address: width, script, case, numerals and counters."""

import re
import unicodedata
from typing import Final

from mgeo.addresses.script import TRADITIONAL_TO_SIMPLIFIED

MAX_CHARACTERS: Final = 512
"""Longer text is cut here: no address needs more, and every later step stays linear in it."""

_DIGITS: Final = {
    **{c: i for i, c in enumerate("零一二三四五六七八九")},
    **{c: i for i, c in enumerate("壹贰叁肆伍陆柒捌玖", 1)},
    "〇": 0,
    "两": 2,
}
_PLACES: Final = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
_NUMERAL: Final = re.compile("[零〇一二三四五六七八九十两壹贰叁](?:[零〇一二三四五六七八九十百千]*)")
_COUNTED: Final = re.compile(
    "[零〇一二三四五六七八九十两壹贰叁肆伍陆柒捌玖拾][零〇一二三四五六七八九十百千壹贰叁肆伍陆柒捌玖拾佰仟]*"
    "(?=号|弄|栋|幢|座|单元|楼|层|室|期|组|排|队|巷|段|米|区(?!域)|院|门(?!诊)|大队|(?<=号之.)|(?<=号之..))"
)
_UNSAID: Final = re.compile(  # a number or a room that does not say so; a digit comes first: the search skips to it
    r"\d(?<=[\u4e00-\u9fff)a-z].)(?:"
    r"(?P<head>\d{0,2}[a-z]?)-(?P<unit>\d{1,2})-(?P<inner>\d{1,4}[a-z]?)(?:[室房]|(?=[,;()。、:]|$))"
    r"|(?<![路街道巷].)(?P<building>\d?[a-z]?)-(?P<room>\d{3,4}[a-z]?)(?:[室房]|(?=[,;()。、:]|$))"
    r"|(?<=[路街道巷弄].)(?<![国省县乡]道.)(?P<door>\d{0,4}[a-z]?(?:-\d{1,2})?)(?=[,;()。:]|$)"
    r"|(?<=[元楼栋幢座层号].)\d{1,3}[a-z]?(?=[,;()。:]|$))"
)
_BELOW_GROUND: Final = re.compile(r"(?:地下|负|(?<=[\u4e00-\u9fff])-)(?=\d(?:-\d)?[层楼])")
_BEFORE: Final = re.compile(  # what stands before an address and is no part of it
    r"(?:[^\w(]+|(?:收货|收件|寄件|详细|联系)?地址:?|\d{6}(?=[\u4e00-\u9fff])"
    r"|中国(?=[\u4e00-\u9fff]{2,3}[省市]|内蒙古|广西|宁夏|新疆|西藏))+"
)
_PHONE: Final = re.compile(
    r"(?:^[\u4e00-\u9fff]{2,4},?|[\u4e00-\u9fff]{1,3}(?:先生|女士|小姐),?)?"  # whose it is
    r"(?:(?:联系|收货)?(?:电话|手机号?):?)?1[3-9]\d-?\d{4}-?\d{4}(?!\d)"
)
_PERSON: Final = re.compile("(?:收[货件]人|联系人):?[\u4e00-\u9fff]{2,3}(?=[,;]|电话|手机|1[3-9]|$)")
_PICTURES: Final = re.compile("[\u2600-\u27bf★☆●■◆\U00010000-\U0001ffff\ufe0f]+")
_PHONE_DIGITS: Final = 11
_INVISIBLE: Final = [chr(c) for c in (*range(0x20), 0x7F, *range(0x200B, 0x2010), 0x2060, 0xFEFF)]
_BLANK: Final = [c for c in map(chr, range(0x3001)) if c.isspace()]
_RESPELT: Final[dict[str, str]] = {
    **{chr(old): new for old, new in TRADITIONAL_TO_SIMPLIFIED.items()},
    **dict(zip("【】[]{}〔〕〈〉《》「」", "()()()()()()()", strict=True)),
    **dict.fromkeys((*_INVISIBLE, *_BLANK), ""),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63~\uff5e", "-"),
}
"""Character -> how it is spelt here; "" for those that are left out."""
_ODD: Final = re.compile(f"[{re.escape(''.join(_RESPELT))}]")  # most texts have none: a search beats str.translate
_BUILDING: Final = re.compile(  # the word's first character comes first: the search skips to it
    r"[#号幢座栋](?<=[0-9a-z甲乙丙丁].)(?:(?<=#)楼?|(?<=号)[楼栋幢座]|(?<=[幢座])|(?<=栋)楼)(?![a-z]座)"
)
_FLOOR: Final = re.compile(r"(?:楼(?<=\d楼)|f(?<=\df)(?![a-z]))(?!\d*[号栋])")
_ORDINAL: Final = re.compile(r"第(\d{1,3})(?:(?:人民)?医(院)|(中)学|(小)学|(幼)儿园)")
_COMPANY: Final = re.compile("股份有限责任公司|股份有限公司|有限责任公司|集团有限公司|有限公司|股份公司")
_MAY_CHANGE: Final = re.compile(
    "[零〇一二三四五六七八九十两壹贰叁#号幢座栋楼f办公第铁]"
)  # what `canonical` respells has one


def normalise(text: str) -> str:
    """Half width, lower case, simplified, no blanks; counted numerals become digits (八十八号 -> 88号).

    Numbers that do not say what they count are told: 人民路12 -> 人民路12号.
    """
    text = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).lower()[:MAX_CHARACTERS]
    text = _PICTURES.sub("", _ODD.sub(_respelt, text))
    if len(text) > _PHONE_DIGITS:
        text = _PHONE.sub(",", _PERSON.sub(",", text) if "人" in text else text).strip(",") or text
    if before := _BEFORE.match(text):
        text = text[before.end() :] or text
    text = _BELOW_GROUND.sub("b", _COUNTED.sub(_in_digits, text))
    return _UNSAID.sub(_in_words, text)[:MAX_CHARACTERS]


def canonical(normalised: str) -> str:
    """The comparison form of *normalised* text: any numeral as digits, one word for each kind of building or floor.

    What is known by its ordinal is called by it: 第一人民医院 -> 1院, 第三中学 -> 3中.
    """
    if _MAY_CHANGE.search(normalised) is None:
        return normalised
    text = _NUMERAL.sub(_in_digits, normalised)
    text = _FLOOR.sub("层", _BUILDING.sub("栋", text))
    if "办" in text:
        text = text.replace("街道办事处", "街道").replace("街道办", "街道").replace("办事处", "街道")
    if "铁" in text:
        text = text.replace("地铁站", "站")
    if "第" in text:
        text = _ORDINAL.sub(r"\1\2\3\4\5", text)
    return _COMPANY.sub("公司", text) if "公司" in text else text


def _in_digits(match: re.Match[str]) -> str:
    return numeral(match.group())


def _in_words(match: re.Match[str]) -> str:
    """What numbers count: 翠园3-2-501 -> 翠园3栋2单元501室, 翠园3栋2-501 -> 翠园3栋2单元501室, 人民路12 -> 12号."""
    first, before = match.group()[0], match.string[match.start() - 1]
    if room := match["inner"]:
        return f"{first}{match['head']}{'号' if before in '路街道巷弄' else '栋'}{match['unit']}单元{room}室"
    if room := match["room"]:
        unit = "单元" if before in "楼栋幢座" else "号" if before == "弄" else "栋"
        return f"{first}{match['building']}{unit}{room}室"
    return match.group() + ("室" if match["door"] is None else "号")


def _respelt(match: re.Match[str]) -> str:
    return _RESPELT[match.group()]


def numeral(text: str) -> str:
    """Digits of a Chinese numeral: 八十八 -> 88, 一二〇 -> 120; at most one value, never an error."""
    if not any(c in _PLACES for c in text):
        return "".join(str(_DIGITS[c]) for c in text)
    total, digit = 0, 0
    for c in text:
        if c in _PLACES:
            total += (digit or 1) * _PLACES[c]
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[c]
    return str(total + digit)
