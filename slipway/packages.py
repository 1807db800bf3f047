"""What an image is made of, and what moved between two of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_DIST_INFO = re.compile(r"([^/\s]+?)-([^/\s-]+)\.dist-info")
LISTING = "cat /var/lib/dpkg/status; find / -xdev -maxdepth 8 -name '*.dist-info' -prune -print 2>/dev/null"
"""A shell command whose output `parse_listing` reads."""


@dataclass(frozen=True)
class Moved:
    """One package; `before` or `after` is "" when it came or went."""

    name: str
    before: str
    after: str


def parse_listing(text: str) -> dict[str, str]:
    """Versions by name, from what `LISTING` printed: Debian packages as they are called, wheels as `wheel:<name>`."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        if key == "Package":
            name = value.strip()
        elif key == "Version" and name:
            found[name] = value.strip()
        elif wheel := _DIST_INFO.search(line):
            found[f"wheel:{wheel[1].lower().replace('_', '-')}"] = wheel[2]
    return found


def what_moved(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Moved, ...]:
    """Every package whose version differs, by name."""
    names = sorted({*before, *after})
    return tuple(
        Moved(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    )


def moved_table(moves: tuple[Moved, ...]) -> str:
    """In markdown, for people."""
    if not moves:
        return "No package has another version.\n"
    rows = [f"| {one.name} | {one.before or 'new'} | {one.after or 'gone'} |" for one in moves]
    return "\n".join(["| package | before | after |", "|---|---|---|", *rows]) + "\n"
