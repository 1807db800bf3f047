"""Which services a change concerns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pathspec

from slipway.service.model import Service


@dataclass(frozen=True)
class Affected:
    """A service to build, and the first changed path that says so with the glob it matches (both empty: no comparison
    was possible)."""

    service: Service
    path: str = ""
    glob: str = ""

    @property
    def reason(self) -> str:
        return f"{self.path} matches {self.glob}" if self.path else "no earlier revision to compare with"


def affected(services: Iterable[Service], changed_paths: Sequence[str] | None) -> tuple[Affected, ...]:
    """Services whose `paths:` match a changed path; of several globs that match one path, the last decides.

    Paths are relative to the repository, with `/`. None instead of paths means that nothing is known of the change, and
    every service is affected.
    """
    if changed_paths is None:
        return tuple(Affected(service) for service in services)
    found = (_first_match(service, changed_paths) for service in services)
    return tuple(match for match in found if match)


def _first_match(service: Service, changed_paths: Sequence[str]) -> Affected | None:
    spec = pathspec.PathSpec.from_lines("gitignore", service.paths)
    for path in changed_paths:
        checked = spec.check_file(path)
        if checked.include and checked.index is not None:
            return Affected(service, path, service.paths[checked.index])
    return None
