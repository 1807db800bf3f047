"""A user's own labelled pairs: CSV or TSV with address_a, address_b, label (0 different, 1 partial, 2 match)."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Final

from training.pair import Pair

_COLUMNS: Final = ("address_a", "address_b", "label")
_NAMED: Final = 10


class LabelledFileError(ValueError):
    """What is wrong with the file, by line and column."""


def read_labelled(path: Path) -> list[Pair]:
    """Pairs grouped by address_a. A header is optional; raises LabelledFileError with the first problems found."""
    rows = list(_rows(path))
    if rows and tuple(cell.strip() for cell in rows[0][1]) == _COLUMNS:
        rows = rows[1:]
    problems = [f"line {line}{why}" for line, row in rows for why in _problems(row)]
    if problems or not rows:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise LabelledFileError(f"{path.name}: " + ("; ".join(problems[:_NAMED]) or "no pairs") + more)
    groups: dict[str, int] = {}
    return [Pair(a, b, int(label), groups.setdefault(a, len(groups))) for _, (a, b, label) in rows]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line (the last one, where a quoted cell spans several) and cells of each row that is not empty."""
    text = _text(path)
    lines = StringIO(text, newline="")
    tabbed = "\t" in text.split("\n", 1)[0]
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if tabbed else csv.reader(lines)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as broken:
        raise LabelledFileError(f"{path.name}: line {reader.line_num}: {broken}") from broken


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content[: wrong.start].count(b"\n") + 1
        raise LabelledFileError(f"{path.name}: line {line} is not UTF-8: save the file as UTF-8") from wrong


def _problems(row: list[str]) -> Iterator[str]:
    if len(row) != len(_COLUMNS):
        yield f": wanted {len(_COLUMNS)} columns ({', '.join(_COLUMNS)}), got {len(row)}"
        return
    for column, cell in zip(_COLUMNS, row, strict=True):
        if not cell.strip():
            yield f", column {column}: empty"
        elif column == "label" and cell.strip() not in ("0", "1", "2"):
            yield f", column label: {cell[:40]!r} is not 0, 1 or 2"
