"""From the word a person typed to one commit, without guessing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from slipway.errors import SourceError

RefKind = Literal["branch", "tag", "sha"]

_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
_SHORT = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)
_NAMED = 8


@dataclass(frozen=True)
class Resolved:
    """An object name and what kind of word led to it; `name` is the branch or tag without its prefix."""

    object: str
    kind: RefKind
    name: str = ""


def is_full_sha(ref: str) -> bool:
    """True for 40 (SHA-1) or 64 (SHA-256) hex digits."""
    return bool(_FULL.fullmatch(ref))


def is_short_sha(ref: str) -> bool:
    """True when `ref` could be the beginning of a SHA."""
    return bool(_SHORT.fullmatch(ref))


def is_unknown(revision: str) -> bool:
    """True for "no revision": the empty string, or the zeros that hosts send for a new or deleted branch."""
    return not revision.strip("0")


def choose(ref: str, refs: Mapping[str, str]) -> Resolved | None:
    """The branch or tag that `ref` names among `refs` (full name -> object); None when there is none.

    Raises `SourceError` when a branch and a tag of that name lead to different objects.
    """
    branch, tag = refs.get(_BRANCH + ref), refs.get(_TAG + ref)
    if branch and tag and branch != tag:
        raise SourceError(
            f"{ref!r} is both a branch ({branch[:12]}) and a tag ({tag[:12]})",
            next_step=f"write {_BRANCH}{ref} or {_TAG}{ref}",
        )
    for prefix, kind in ((_BRANCH, "branch"), (_TAG, "tag")):
        full = ref if ref.startswith(prefix) else prefix + ref
        if full in refs:
            return Resolved(refs[full], kind, full.removeprefix(prefix))  # type: ignore[arg-type]
    return None


def no_such_ref(ref: str, refs: Mapping[str, str], location: str) -> SourceError:
    """The error for a word that leads nowhere, with the names that come nearest."""
    names = sorted({name.removeprefix(_BRANCH).removeprefix(_TAG) for name in refs})
    if not names:
        return SourceError("the repository has no commits yet", subject=location, next_step="commit and push first")
    near = get_close_matches(ref, names, n=_NAMED, cutoff=0.5)
    said = f"did you mean {', '.join(near)}?" if near else f"it has {_some(names)}"
    return SourceError(f"there is no branch, tag or commit {ref!r}", subject=location, next_step=said)


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
