"""Which tags may move. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from slipway.errors import RegistryRefused
from slipway.identity import Digest, Repository, Tag


class TagChange(StrEnum):
    """What giving a tag to a digest would do."""

    CREATE = "create"
    KEEP = "keep"
    MOVE = "move"
    REFUSE = "refuse"


@dataclass(frozen=True)
class TagDecision:
    """A tag, what happens to it, and for a refusal the pattern that protects it."""

    tag: Tag
    change: TagChange
    current: Digest | None
    pattern: str = ""


def is_protected(tag: str, protected: Iterable[str]) -> bool:
    """Whether one of these patterns (shell style) says that the tag never moves."""
    return any(fnmatchcase(tag, pattern) for pattern in protected)


def decide_tag(tag: Tag, current: Digest | None, wanted: Digest, protected: Iterable[str]) -> TagDecision:
    """`current` is what the tag names now; a tag in a protected pattern (shell style) is given once and never moves."""
    if current is None:
        return TagDecision(tag, TagChange.CREATE, None)
    if current == wanted:
        return TagDecision(tag, TagChange.KEEP, current)
    pattern = next((pattern for pattern in protected if fnmatchcase(tag, pattern)), "")
    return TagDecision(tag, TagChange.REFUSE if pattern else TagChange.MOVE, current, pattern)


def refusal(decisions: Iterable[TagDecision], repository: Repository, wanted: Digest) -> RegistryRefused | None:
    """One error that names every refused tag, or None when all may be written."""
    refused = [decision for decision in decisions if decision.change is TagChange.REFUSE]
    if not refused:
        return None
    lines = "; ".join(f"{one.tag} names {one.current} (protected by {one.pattern!r})" for one in refused)
    return RegistryRefused(
        f"protected tags never move, and {lines}",
        subject=repository.at(wanted),
        next_step="release under a new version tag; to replace the old one on purpose, delete that tag first",
    )
