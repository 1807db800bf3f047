"""Values that several unit tests start from; each test says what is different in its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.identity import Digest
from slipway.plan import BuildPlan
from slipway.service.loading import load_service
from slipway.source.checkout import Checkout

TOY = load_service(Path(__file__).parents[1] / "fixtures" / "toy" / "docker" / "toy" / "service.yaml")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REVISION = "ab" * 20


def digest(character: str = "0") -> Digest:
    """A valid digest of one repeated hex digit."""
    return Digest("sha256:" + character * 64)


def checkout(**changes: Any) -> Checkout:
    """A clean checkout of main."""
    main = Checkout(
        path=Path("/srv/toy"),
        revision=REVISION,
        ref="main",
        ref_kind="branch",
        branch="main",
        tag="",
        describe="v1.2.3-4-gabababab",
        author_name="Ada",
        author_email="ada@example.com",
        committed_at=NOON,
        subject="A change",
        repository="https://git.example.com/team/toy.git",
        origin="https://git.example.com/team/toy.git",
    )
    return replace(main, **changes)


def build_plan(**changes: Any) -> BuildPlan:
    """The toy of that checkout in its default flavour."""
    return BuildPlan(TOY, "cpu", checkout(**changes), "push", "no earlier revision to compare with")
