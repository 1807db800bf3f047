"""Tables for people, in markdown. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Collection[str] = ()) -> str:
    """A table with these columns, those named in `numbers` to the right. Whatever a cell holds stays in its cell."""
    rule = "|".join("---:" if name in numbers else "---" for name in head)
    lines = [_line(head), f"|{rule}|", *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
