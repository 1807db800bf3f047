"""Words that Chinese addresses are made of, read from ``words.yaml``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

_LISTS: Final[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))


def _characters(name: str) -> str:
    return _LISTS[name].replace(" ", "")


def _words(name: str) -> tuple[str, ...]:
    """In the file's order; a word written with *n is there n times, so that it is drawn more often."""
    return tuple(_repeated(_LISTS[name]))


def _repeated(written: str) -> Iterator[str]:
    for entry in written.split():
        word, _, times = entry.partition("*")
        yield from (word,) * int(times or 1)


def _short_forms(name: str) -> tuple[tuple[str, str], ...]:
    pairs = (entry.partition(">") for entry in _LISTS[name].split())
    return tuple((word, short) for word, _, short in pairs)


STEM: Final = _characters("stem")
SURNAMES: Final = _characters("surnames")
ROAD_STEMS: Final = _words("road_stems")
ROAD_SUFFIXES: Final = _words("road_suffixes")
DEVELOPERS: Final = _words("developers")
ESTATES: Final = _words("estates")
OFFICES: Final = _words("offices")
PARKS: Final = _words("parks")
INSTITUTIONS: Final = _words("institutions")
SHOP_BRANDS: Final = _words("shop_brands")
SHOP_KINDS: Final = _words("shop_kinds")
INDUSTRIES: Final = _words("industries")
COMPANY_FORMS: Final = _words("company_forms")
VILLAGE_FORMS: Final = _words("village_forms")
TOWN_FORMS: Final = _words("town_forms")
BUILDING_FORMS: Final = _words("building_forms")
GATES: Final = _words("gates")
WINGS: Final = _words("wings")
ZONES: Final = _words("zones")
LANDMARKS: Final = _words("landmarks")
QUERY_TAILS: Final = _words("query_tails")
ABBREVIATIONS: Final = _short_forms("abbreviations")
