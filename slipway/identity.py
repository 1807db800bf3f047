"""The types of the things that name an image: a digest is content, a tag is a movable name for people.

After the push, only digests are passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway.errors import UserError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")


class Digest(str):
    """`sha256:` and 64 hex digits: the identity of a manifest, a layer or a config."""

    __slots__ = ()

    def __new__(cls, value: str) -> Digest:
        if not _DIGEST.fullmatch(value):
            raise UserError(
                f"{value!r} is not a digest", next_step="a digest is sha256: and 64 hex digits; a tag is not enough"
            )
        return super().__new__(cls, value)

    @property
    def short(self) -> str:
        """The first twelve hex digits, for people."""
        return self[7:19]


class Tag(str):
    """A name the distribution specification allows as a tag."""

    __slots__ = ()

    def __new__(cls, value: str) -> Tag:
        if not _TAG.fullmatch(value):
            raise UserError(
                f"{value!r} is not a valid tag",
                next_step="use at most 128 letters, digits, '_', '.', '-', not starting with '.' or '-'",
            )
        return super().__new__(cls, value)


@dataclass(frozen=True)
class Repository:
    """Where an image lives: a registry (`host[:port]`) and a repository name in it."""

    registry: str
    name: str

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.name):
            raise UserError(
                f"{self.name!r} is not a valid image repository", next_step="use lower case, e.g. team/mgeo"
            )

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"

    def at(self, digest: Digest) -> str:
        """The reference that can never move."""
        return f"{self}@{digest}"

    def tagged(self, tag: Tag) -> str:
        """The reference a person types."""
        return f"{self}:{tag}"
