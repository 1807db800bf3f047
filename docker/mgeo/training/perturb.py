"""Ways in which people write the same address differently, each under its own name."""

import re
from random import Random
from typing import Final

from mgeo.addresses.script import TRADITIONAL_TO_SIMPLIFIED

from training import lexicon as words
from training.sounds import same_sounds

_COMMON: Final = {*words.STEM, *words.SURNAMES}
_SAME_SOUND: Final = {
    c: others
    for group in same_sounds()
    for c in _COMMON.intersection(group)
    if (others := "".join(x for x in group if x in _COMMON and x != c))
}
_TRADITIONAL: Final = {new: chr(old) for old, new in reversed(TRADITIONAL_TO_SIMPLIFIED.items())}
_FULL_WIDTH: Final = {c: c + 0xFEE0 for c in range(ord("0"), ord("9") + 1)} | {ord("("): "（", ord(")"): "）"}
_NUMERALS: Final = "零一二三四五六七八九"


def chinese_numeral(number: int) -> str:
    """88 -> 八十八; above 99 digit by digit, as people do."""
    if number > 99:
        return "".join(_NUMERALS[int(c)] for c in str(number))
    tens, ones = divmod(number, 10)
    if not tens:
        return _NUMERALS[ones]
    return ("" if tens == 1 else _NUMERALS[tens]) + "十" + (_NUMERALS[ones] if ones else "")


def numerals(text: str, random: Random) -> str:
    """88号 -> 八十八号, one number at a time."""
    found = list(re.finditer(r"\d{1,3}", text))
    if not found:
        return text
    one = random.choice(found)
    return text[: one.start()] + chinese_numeral(int(one.group())) + text[one.end() :]


def typo(text: str, random: Random) -> str:
    """One character lost, doubled, swapped with its neighbour, or replaced by one that sounds the same."""
    if len(text) < 4:
        return text
    at = random.randrange(len(text) - 1)
    kind = random.random()
    if kind < 0.5:
        places = [i for i, c in enumerate(text) if c in _SAME_SOUND]
        if places:
            at = random.choice(places)
            return text[:at] + random.choice(_SAME_SOUND[text[at]]) + text[at + 1 :]
    if kind < 0.75:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def abbreviation(name: str, random: Random) -> str:
    fitting = [(long, short) for long, short in words.ABBREVIATIONS if long in name and len(name) - len(long) > 1]
    if not fitting:
        return name
    long, short = random.choice(fitting)
    return name.replace(long, short)


def traditional(text: str) -> str:
    return "".join(_TRADITIONAL.get(c, c) for c in text)


def full_width(text: str) -> str:
    return text.translate(_FULL_WIDTH)


def disturb(text: str, random: Random) -> tuple[str, tuple[str, ...]]:
    """*text* with the slips of a hurried writer, and their names."""
    done: list[str] = []
    if random.random() < 0.10:
        text, done = typo(text, random), [*done, "typo"]
    if random.random() < 0.12:
        text, done = numerals(text, random), [*done, "numerals"]
    if random.random() < 0.02:
        text, done = traditional(text), [*done, "traditional"]
    if random.random() < 0.03:
        text, done = full_width(text), [*done, "width"]
    return text, tuple(done)
