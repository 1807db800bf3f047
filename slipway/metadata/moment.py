"""Date formats in the words of moment.js (English), because that is what tag rules are written in."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

ISO: Final = "YYYY-MM-DDTHH:mm:ssZ"
ISO_UTC: Final = "YYYY-MM-DDTHH:mm:ss[Z]"

_TOKENS = re.compile(
    r"\[[^\[]*\]|\\?(?:[Hh]mm(?:ss)?|Mo|M{1,4}|Do|DDDo|D{1,4}|ddd?d?|do|d|wo|ww|w|Wo|WW|W|Qo|Q|N{1,5}|Y{4,6}|YY|Y"
    r"|y{2,4}|yo|y|g{4,5}|gg|G{4,5}|GG|e|E|a|A|hh?|HH?|kk?|mm?|ss?|S{1,9}|x|X|zz?|ZZ?|.)"
)
_SHORTCUTS = re.compile(r"\[[^\[]*\]|\\?(?:LTS|LT|L{1,4}|l{1,4})")
_LONG: Final = {
    "LTS": "h:mm:ss A",
    "LT": "h:mm A",
    "L": "MM/DD/YYYY",
    "LL": "MMMM D, YYYY",
    "LLL": "MMMM D, YYYY h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A",
    "l": "M/D/YYYY",
    "ll": "MMM D, YYYY",
    "lll": "MMM D, YYYY h:mm A",
    "llll": "ddd, MMM D, YYYY h:mm A",
}
# Not from `calendar`: its names follow the machine's language.
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def format_moment(when: datetime, pattern: str) -> str:
    """Render an aware time as `moment(when).format(pattern)` does; text in [brackets] stays as it is."""
    expanded = _SHORTCUTS.sub(lambda found: _LONG.get(found[0], found[0]), pattern)
    return _TOKENS.sub(lambda found: _render(found[0], when), expanded)


def _render(token: str, when: datetime) -> str:
    if token[0] == "[" and token[-1] == "]" and len(token) > 1:
        return token[1:-1]
    if token[0] == "\\" and len(token) > 1:
        return token[1:]
    if token[0] == "S":
        return f"{when.microsecond // 1000:03}".ljust(9, "0")[: len(token)]
    formatter = _FORMATS.get(token)
    return formatter(when) if formatter else token


def _ordinal(number: int) -> str:
    tens = 10 < number % 100 < 14
    return f"{number}{'th' if tens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _weekday(when: date) -> int:
    """Sunday is 0."""
    return when.isoweekday() % 7


def _us_week(when: datetime) -> tuple[int, int]:
    """(week-year, week) where weeks start on Sunday and the one with January 1st is the first."""
    day = when.date()
    last = day + timedelta(days=6 - _weekday(day))
    return last.year, (last.timetuple().tm_yday - 1) // 7 + 1


def _offset(when: datetime, separator: str) -> str:
    minutes = int((when.utcoffset() or timedelta()).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}{separator}{abs(minutes) % 60:02}"


def _hour12(when: datetime) -> int:
    return when.hour % 12 or 12


def _hour24(when: datetime) -> int:
    """1 to 24."""
    return when.hour or 24


_FORMATS: Final[dict[str, Callable[[datetime], str]]] = {
    "M": lambda t: f"{t.month}",
    "Mo": lambda t: _ordinal(t.month),
    "MM": lambda t: f"{t.month:02}",
    "MMM": lambda t: _MONTHS[t.month - 1][:3],
    "MMMM": lambda t: _MONTHS[t.month - 1],
    "Q": lambda t: f"{(t.month + 2) // 3}",
    "Qo": lambda t: _ordinal((t.month + 2) // 3),
    "D": lambda t: f"{t.day}",
    "Do": lambda t: _ordinal(t.day),
    "DD": lambda t: f"{t.day:02}",
    "DDD": lambda t: f"{t.timetuple().tm_yday}",
    "DDDo": lambda t: _ordinal(t.timetuple().tm_yday),
    "DDDD": lambda t: f"{t.timetuple().tm_yday:03}",
    "d": lambda t: f"{_weekday(t)}",
    "do": lambda t: _ordinal(_weekday(t)),
    "dd": lambda t: _DAYS[_weekday(t)][:2],
    "ddd": lambda t: _DAYS[_weekday(t)][:3],
    "dddd": lambda t: _DAYS[_weekday(t)],
    "e": lambda t: f"{_weekday(t)}",
    "E": lambda t: f"{t.isoweekday()}",
    "w": lambda t: f"{_us_week(t)[1]}",
    "wo": lambda t: _ordinal(_us_week(t)[1]),
    "ww": lambda t: f"{_us_week(t)[1]:02}",
    "W": lambda t: f"{t.isocalendar().week}",
    "Wo": lambda t: _ordinal(t.isocalendar().week),
    "WW": lambda t: f"{t.isocalendar().week:02}",
    "Y": lambda t: f"{t.year}",
    "YY": lambda t: f"{t.year % 100:02}",
    "YYYY": lambda t: f"{t.year:04}",
    "YYYYY": lambda t: f"{t.year:05}",
    "YYYYYY": lambda t: f"+{t.year:06}",
    "y": lambda t: f"{t.year}",
    "yo": lambda t: _ordinal(t.year),
    "yy": lambda t: f"{t.year:02}",
    "yyy": lambda t: f"{t.year:03}",
    "yyyy": lambda t: f"{t.year:04}",
    "gg": lambda t: f"{_us_week(t)[0] % 100:02}",
    "gggg": lambda t: f"{_us_week(t)[0]:04}",
    "ggggg": lambda t: f"{_us_week(t)[0]:05}",
    "GG": lambda t: f"{t.isocalendar().year % 100:02}",
    "GGGG": lambda t: f"{t.isocalendar().year:04}",
    "GGGGG": lambda t: f"{t.isocalendar().year:05}",
    **{"N" * n: lambda _: "AD" for n in (1, 2, 3, 5)},
    "NNNN": lambda _: "Anno Domini",
    "A": lambda t: "AM" if t.hour < 12 else "PM",
    "a": lambda t: "am" if t.hour < 12 else "pm",
    "H": lambda t: f"{t.hour}",
    "HH": lambda t: f"{t.hour:02}",
    "h": lambda t: f"{_hour12(t)}",
    "hh": lambda t: f"{_hour12(t):02}",
    "k": lambda t: f"{_hour24(t)}",
    "kk": lambda t: f"{_hour24(t):02}",
    "Hmm": lambda t: f"{t.hour}{t.minute:02}",
    "hmm": lambda t: f"{_hour12(t)}{t.minute:02}",
    "Hmmss": lambda t: f"{t.hour}{t.minute:02}{t.second:02}",
    "hmmss": lambda t: f"{_hour12(t)}{t.minute:02}{t.second:02}",
    "m": lambda t: f"{t.minute}",
    "mm": lambda t: f"{t.minute:02}",
    "s": lambda t: f"{t.second}",
    "ss": lambda t: f"{t.second:02}",
    "z": lambda t: t.tzname() or "",
    "zz": lambda t: t.tzname() or "",
    "Z": lambda t: _offset(t, ":"),
    "ZZ": lambda t: _offset(t, ""),
    "X": lambda t: f"{int(t.timestamp())}",
    "x": lambda t: f"{int(t.timestamp()) * 1000 + t.microsecond // 1000}",
}
