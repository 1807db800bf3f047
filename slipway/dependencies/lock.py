"""Read a hash-locked requirements file, as pip-compile and `uv pip compile --generate-hashes` write them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from slipway.dependencies.target import Target
from slipway.errors import DependencyError

_HASH = re.compile(r"\s--hash[=\s]\s*(?P<hash>\S+)")
_SHA256 = re.compile(r"sha256:(?P<hex>[0-9a-f]{64})")
_COMMENT = re.compile(r"(^|\s)#.*$")
# Where wheels come from is passed on; how they are chosen is decided here, so the rest of pip's options is dropped.
_SOURCES = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index")
_DROPPED = ("--require-hashes", "--only-binary", "--no-binary", "--prefer-binary", "--pre")


@dataclass(frozen=True)
class Pin:
    """One requirement that the target needs: `text` without markers, and the SHA-256s (hex) its wheel may have."""

    name: str
    text: str
    hashes: tuple[str, ...]

    @property
    def line(self) -> str:
        """The pin as a line of a requirements file; equal pins give equal lines."""
        return " ".join([self.text, *(f"--hash=sha256:{digest}" for digest in self.hashes)])


@dataclass(frozen=True)
class Lock:
    """The pins for one target, sorted by name, and the lines that say where to look for wheels."""

    pins: tuple[Pin, ...]
    sources: tuple[str, ...]

    def key(self, target: Target) -> str:
        """Content identity of the wheels: comments, order, markers and index addresses make no difference."""
        return hashlib.sha256("\n".join([str(target), *(pin.line for pin in self.pins)]).encode()).hexdigest()


def parse_lock(text: str, target: Target, *, name: str) -> Lock:
    """Read the lock called `name`; raises `DependencyError` listing every line that cannot be trusted."""
    pins: list[Pin] = []
    sources: list[str] = []
    problems: list[str] = []
    for number, line in _logical_lines(text):
        option = re.split(r"[=\s]", line, maxsplit=1)[0]
        if option in _SOURCES:
            sources.append(line)
        elif option not in _DROPPED:
            outcome = _parse_pin(line, target)
            if isinstance(outcome, str):
                problems.append(f"line {number}: {outcome}")
            elif outcome:
                pins.append(outcome)
    problems += _duplicates(pins)
    if problems:
        raise DependencyError(
            f"{name} is not a complete hash lock:\n    " + "\n    ".join(problems),
            next_step="write it anew: uv pip compile --generate-hashes <input> -o <lock>",
        )
    return Lock(tuple(sorted(pins, key=lambda pin: pin.name)), tuple(sources))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments gone, each with the number of its first line."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).rstrip()
        first = first or number
        pending += " " + line.removesuffix("\\").strip()
        if not line.endswith("\\"):
            if pending.strip():
                yield first, pending.strip()
            pending, first = "", 0
    if pending.strip():
        yield first, pending.strip()


def _parse_pin(line: str, target: Target) -> Pin | str | None:
    """The pin, what is wrong with it, or None when the target does not need it."""
    spec = _HASH.sub("", line).strip()
    if spec.startswith("-"):
        return f"{spec.split()[0]} is not allowed in a lock"
    try:
        wanted = Requirement(spec)
    except InvalidRequirement:
        return f"{spec.split()[0]} is not a requirement of the form name==version"
    if wanted.marker and not wanted.marker.evaluate(target.markers):
        return None
    if not wanted.url and not _is_exact(wanted):
        return f"{wanted.name} is not pinned with =="
    hashes = {found["hex"] for raw in _HASH.finditer(line) if (found := _SHA256.fullmatch(raw["hash"]))}
    if not hashes:
        return f"{wanted.name} has no --hash=sha256:..."
    name = canonicalize_name(wanted.name)
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return Pin(name, f"{name}{extras}{f' @ {wanted.url}' if wanted.url else wanted.specifier}", tuple(sorted(hashes)))


def _is_exact(wanted: Requirement) -> bool:
    return any(part.operator in ("==", "===") and "*" not in part.version for part in wanted.specifier)


def _duplicates(pins: Iterable[Pin]) -> list[str]:
    counts = Counter(pin.name for pin in pins)
    return [f"{name} is pinned {count} times" for name, count in counts.items() if count > 1]
