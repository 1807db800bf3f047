"""Tags that a registry would refuse, or that two names would share, made valid and unique.

This is our own step, after the action's.

A tag made from a name like `feature/login` keeps the action's `feature-login`. A short hash of the whole name is added
only where the action's tag is invalid, too long, shared with another known name, or has lost letters or digits: then
another name, which may not exist yet, would make the same tag.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from slipway.metadata.tags import Candidate

LONGEST: Final = 128
_VALID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HASH_LENGTH: Final = 8


@dataclass(frozen=True)
class Repair:
    """`original` is the name before sanitising, `tag` what it is called now, `why` a sentence for people."""

    original: str
    tag: str
    why: str


def repair(candidate: Candidate, others: Collection[Candidate] = ()) -> Repair | None:
    """What has to change about a tag, given the tags that other branches or tags would get; None when it is fine."""
    why = _reason(candidate, others)
    if not why:
        return None
    suffix = f"-{hashlib.sha256(candidate.raw.encode()).hexdigest()[:_HASH_LENGTH]}"
    stem = candidate.tag.lstrip(".-")[: LONGEST - len(suffix)].rstrip(".-") or "ref"
    return Repair(candidate.raw, stem + suffix, why)


def _reason(candidate: Candidate, others: Collection[Candidate]) -> str:
    if len(candidate.tag) > LONGEST:
        return f"{len(candidate.tag)} characters, a tag holds {LONGEST}"
    if not _VALID.fullmatch(candidate.tag):
        return f"{candidate.tag!r} is not a valid tag"
    if candidate.tag == "latest" and "latest" not in candidate.asked:
        return "'latest' was not asked for"
    if any(char.isalnum() and not char.isascii() for char in candidate.raw):
        return f"{candidate.tag!r} has lost letters, other names would share it"
    twin = next((other.raw for other in others if other.tag == candidate.tag and other.raw != candidate.raw), None)
    if twin is not None and candidate.raw != candidate.tag:
        return f"{candidate.tag!r} is also the tag of {twin!r}"
    return ""
