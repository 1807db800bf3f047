"""What cleaning up may take, in which order, and how far it goes. Pure; `slipway.host.cleanup` does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

GB = 1e9


class Kind(StrEnum):
    """Kinds of things that may go, in the order in which they do: what costs the least to have again goes first."""

    CHECKOUT = "leftover checkout"
    IMAGE = "image"
    MANIFEST = "registry manifest"
    WHEELHOUSE = "wheelhouse"
    MODEL = "model"
    BASE = "base"
    LAYERS = "builder layers"


_ORDER = tuple(Kind)


@dataclass(frozen=True)
class Candidate:
    """Something that may go: its estimated bytes, its last use, and the device (`st_dev`) that gets them back.

    `name` is an image reference for images and manifests, else what the folder is called.
    """

    kind: Kind
    name: str
    bytes: int
    last_used: datetime
    device: int

    @property
    def lease(self) -> str:
        """The name under which runs lease it and under which the ledger knows its last use."""
        return lease_name(self.kind, self.name)

    @property
    def family(self) -> str:
        """Versions of the same thing; the newest of a family of models or bases always stays."""
        return self.name.rpartition("-")[0] if self.kind is Kind.BASE else ""


def lease_name(kind: Kind, name: str) -> str:
    """What a run leases to keep a thing from cleaning up: the reference itself for images, `kind:name` for the rest."""
    return name if kind in (Kind.IMAGE, Kind.MANIFEST) else f"{kind}:{name}"


def content_of(name: str) -> str:
    """The digest in a reference, which protects an image under all its names; else the name itself."""
    return name.rpartition("@")[2]


def choose(
    candidates: Iterable[Candidate], protected: frozenset[str], goals: Mapping[int, int], idle_since: datetime
) -> tuple[Candidate, ...]:
    """The removals, in order, whose estimated bytes reach the goal (bytes) of each device, or all that may go.

    Never chosen: whatever `protected` (lease names, references, digests) names, what was used after `idle_since` (a run
    may be about to lease it), and the newest model and bases.
    """
    left = {device: goal for device, goal in goals.items() if goal > 0}
    chosen: list[Candidate] = []
    for candidate in _removable(tuple(candidates), protected, idle_since):
        if left.get(candidate.device, 0) > 0:
            chosen.append(candidate)
            left[candidate.device] -= candidate.bytes
    return tuple(chosen)


def _removable(candidates: tuple[Candidate, ...], protected: frozenset[str], idle_since: datetime) -> list[Candidate]:
    keep = protected | {content_of(name) for name in protected} | _newest(candidates)
    idle = [each for each in candidates if each.last_used <= idle_since]
    free = [each for each in idle if not {each.lease, content_of(each.name)} & keep]
    return sorted(free, key=lambda each: (_ORDER.index(each.kind), each.last_used, each.name))


def _newest(candidates: Sequence[Candidate]) -> frozenset[str]:
    newest: dict[tuple[Kind, str], Candidate] = {}
    for each in sorted(candidates, key=lambda each: (each.last_used, each.name)):
        if each.kind in (Kind.MODEL, Kind.BASE):
            newest[each.kind, each.family] = each
    return frozenset(each.lease for each in newest.values())


@dataclass(frozen=True)
class Removed:
    """Something that went; `bytes` is what its file system really gained."""

    kind: Kind
    name: str
    bytes: int


@dataclass(frozen=True)
class CleanupReport:
    """What one cleaning up removed, and what it could not remove, with the reason."""

    removed: tuple[Removed, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def freed_bytes(self) -> int:
        """What all of it gave."""
        return sum(item.bytes for item in self.removed)

    def per_kind(self) -> dict[Kind, tuple[int, int]]:
        """Kind -> (how many went, bytes they gave), only kinds of which something went."""
        found = {kind: [item.bytes for item in self.removed if item.kind is kind] for kind in Kind}
        return {kind: (len(sizes), sum(sizes)) for kind, sizes in found.items() if sizes}

    def in_words(self) -> str:
        """One line."""
        kinds = [f"{count} x {kind} ({amount(size)})" for kind, (count, size) in self.per_kind().items()]
        return f"{amount(self.freed_bytes)} freed: {', '.join(kinds)}" if kinds else "nothing could be removed"

    def to_markdown(self) -> str:
        """A table per kind."""
        rows = [f"| {kind} | {count} | {amount(size)} |" for kind, (count, size) in self.per_kind().items()]
        head = ["| removed | how many | freed |", "|---|---:|---:|"]
        table = "\n".join([*head, *rows]) if rows else "Nothing was removed."
        kept = "".join(f"\n- `{name}` stayed: {reason}" for name, reason in self.failed)
        return f"{table}\n{kept}" if kept else table


def amount(size: int) -> str:
    """Bytes for people."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / 1e6:.1f} MB"
