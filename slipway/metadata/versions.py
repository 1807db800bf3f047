"""What `{{version}}`, `{{major}}`, ... are for a semantic or a PEP 440 version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from packaging.version import InvalidVersion, Version

_NUM: Final = r"(?:0|[1-9]\d*)"
_PRE: Final = rf"(?:{_NUM}|\d*[A-Za-z-][A-Za-z0-9-]*)"
_SEMVER: Final = re.compile(
    rf"v?(?P<major>{_NUM})\.(?P<minor>{_NUM})\.(?P<patch>{_NUM})"
    rf"(?:-(?P<pre>{_PRE}(?:\.{_PRE})*))?(?:\+(?P<build>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*))?",
    re.ASCII,
)
_LARGEST: Final = 2**53 - 1  # the number type of the action's language ends here


@dataclass(frozen=True)
class Numbers:
    """A version taken apart; `is_preview` is true for anything but a final release."""

    raw: str
    version: str
    major: int
    minor: int
    patch: int
    build: str
    is_preview: bool

    def values(self) -> dict[str, str | int | bool | None]:
        return {
            "raw": self.raw,
            "version": self.version,
            "major": self.major,
            "minor": self.minor,
            "patch": self.patch,
            "build": self.build,
        }


def semantic(text: str) -> Numbers | None:
    """`v1.2.3-rc.1+5` with or without the v; None when it is no semantic version."""
    found = _SEMVER.fullmatch(text.strip())
    if not found or max(int(found[part]) for part in ("major", "minor", "patch")) > _LARGEST:
        return None
    core = f"{found['major']}.{found['minor']}.{found['patch']}"
    return Numbers(
        raw=text,
        version=f"{core}-{found['pre']}" if found["pre"] else core,
        major=int(found["major"]),
        minor=int(found["minor"]),
        patch=int(found["patch"]),
        build=(found["build"] or "").replace(".", ","),
        is_preview=bool(found["pre"]),
    )


def pep440(text: str) -> Numbers | None:
    """`1.2rc1`, `1!2.0.post3`, ...; None when PEP 440 does not know it."""
    try:
        version = Version(text) if text == text.strip() else None
    except InvalidVersion:
        version = None
    if version is None:
        return None
    # The action joins a local part with commas, which then become dashes in a tag.
    local = f"+{version.local.replace('.', ',')}" if version.local else ""
    return Numbers(
        raw=text,
        version=version.public + local,
        major=version.major,
        minor=version.minor,
        patch=version.micro,
        build="",
        is_preview=version.is_prerelease or version.is_postrelease or version.is_devrelease,
    )
