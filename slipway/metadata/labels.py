"""The OCI labels of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from slipway.metadata.context import GitContext
from slipway.metadata.expressions import everywhere
from slipway.metadata.handlebars import render

_OCI: Final = "org.opencontainers.image."


@dataclass(frozen=True)
class BaseImage:
    """The image that the build started from: its name and its digest (`sha256:...`)."""

    name: str
    digest: str


def labels(
    context: GitContext, now: datetime, version: str, overrides: Sequence[str] = (), base: BaseImage | None = None
) -> dict[str, str]:
    """The eight labels of the action, the base image's two, and the user's `key=value` lines, which win.

    `created` is the commit's time, so that the same revision makes the same image.
    """
    ours = {
        "title": context.repository_name,
        "description": context.description,
        "url": context.repository_url,
        "source": context.repository_url,
        "version": version,
        "created": _iso(context.commit_time),
        "revision": context.sha,
        "licenses": context.licenses,
    }
    if base:
        ours |= {"base.name": base.name, "base.digest": base.digest}
    found = {_OCI + key: value for key, value in ours.items()}
    values = everywhere(context, now)
    for line in overrides:
        key, equals, value = render(line, values).partition("=")
        if equals:
            found[key] = value
    return dict(sorted(found.items()))


def _iso(when: datetime) -> str:
    """`2020-01-10T00:30:00.000Z`"""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
