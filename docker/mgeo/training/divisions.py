"""The official divisions as the runtime reads them, generated from cpca's table of codes."""

import csv
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml
from mgeo.addresses import Division
from mgeo.addresses.divisions import MUNICIPALITIES, Level

_KNOWN: Final[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("divisions.yaml").read_text(encoding="utf-8"))
_NATIONS: Final = "|".join(_KNOWN["nations"].split())
_TAIL: Final = re.compile(rf"(?<=..)(?:(?:{_NATIONS}|族)*自治[区州县旗]|特别行政区|[省市区县盟旗]|地区|林区|新区)$")
"""What a short name goes without. Two characters stay, though they be a nation's: 内蒙古, 鄂温克."""
_ANOTHER_WORD: Final = frozenset({"阿里"})
"""Said of a company far more often than of the division."""
_NOT_A_PLACE: Final = frozenset({"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"})


def official_divisions() -> list[Division]:
    """Province, city and district of the whole country in code order, with short, traditional and former names."""
    with _table().open(encoding="utf-8") as lines:
        table = {row["adcode"][:6]: row["name"] for row in csv.DictReader(lines) if row["adcode"][:6].isdigit()}
    former = {code: tuple(n for n in names.split() if n != table.get(code)) for code, names in _KNOWN["former"].items()}
    for code, founded in _KNOWN["founded"].items():
        name, *replaced = founded.split()
        if replaced and replaced[0] in table:
            former[code] = (table.pop(replaced[0]),)
        table[code] = name
    return [
        Division(code, name, _level(code), _parent(code, table), _shorts(name, former.get(code, ())))
        for code, name in sorted(table.items())
        if name not in _NOT_A_PLACE and not code.startswith("100")
    ]


def write_divisions(rows: list[Division], path: Path) -> None:
    lines = ("\t".join((d.code, d.name, d.level, d.parent, "|".join(d.shorts))) for d in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _table() -> Path:
    """cpca's table, found without importing cpca: its import needs pkg_resources, which setuptools has dropped."""
    spec = find_spec("cpca")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the official divisions come from the package cpca: pip install cpca")
    return Path(spec.origin).parent / "resources" / "adcodes.csv"


def _level(code: str) -> Level:
    if code.endswith("0000"):
        return "province"
    return "city" if code.endswith("00") else "district"


def _parent(code: str, names: dict[str, str]) -> str:
    level, city, province = _level(code), code[:4] + "00", code[:2] + "0000"
    if level == "province":
        return ""
    has_city = level == "district" and province[:2] not in MUNICIPALITIES and names.get(city, "县") not in _NOT_A_PLACE
    return city if has_city else province


def _shorts(name: str, former: tuple[str, ...]) -> tuple[str, ...]:
    short = _TAIL.sub("", name)
    shorts = [short] if short not in (name, *_ANOTHER_WORD) else []
    if name.endswith("自治州"):
        shorts.append(short + "州")
    return tuple(dict.fromkeys(shorts + list(former)))
