"""What one run has to do: which services, in which flavour, and everything that decides their image. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.errors import UserError
from slipway.metadata.context import HEADS, TAGS, GitContext
from slipway.service.model import Flavour, Service
from slipway.service.plan import affected
from slipway.source.checkout import Checkout


@dataclass(frozen=True)
class BuildPlan:
    """One image to be: a service of one revision in one flavour, and why it is built.

    A stranger's code is not `trusted`: what it says about its base is not followed, and its containers stand apart.
    """

    service: Service
    flavour: str
    checkout: Checkout
    event: str
    reason: str
    trusted: bool = True

    @property
    def subject(self) -> str:
        """For people: service, flavour and revision."""
        return f"{self.service.name} ({self.flavour}) at {self.checkout.revision[:12]}"

    @property
    def choice(self) -> Flavour:
        """The chosen flavour's part of service.yaml."""
        return self.service.build.flavours[self.flavour]

    @property
    def git_context(self) -> GitContext:
        """The event in the words that tag rules use."""
        checkout = self.checkout
        return GitContext(
            event=self.event,
            ref=_full_ref(checkout),
            sha=checkout.revision,
            commit_time=checkout.committed_at,
            repository_url=checkout.origin,
            repository_name=checkout.origin.rstrip("/").removesuffix(".git").rpartition("/")[2],
            description=self.service.description,
            licenses=self.service.licenses,
        )


@dataclass(frozen=True)
class Plan:
    """All images of one run; empty with the reason when there is nothing to build."""

    builds: tuple[BuildPlan, ...]
    reason: str

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to build."""
        return not self.builds


def plan_builds(
    services: Sequence[Service],
    checkout: Checkout,
    changed_paths: Sequence[str] | None,
    *,
    only: str = "",
    flavour: str = "",
    event: str = "push",
) -> Plan:
    """The services that this change concerns. Raises `UserError` for a service or flavour that does not exist."""
    if only and only not in {service.name for service in services}:
        known = ", ".join(service.name for service in services) or "none"
        raise UserError(
            f"there is no service {only!r} in this revision",
            subject=checkout.revision[:12],
            next_step=f"its services are: {known}; a service is a folder docker/<name> with a service.yaml",
        )
    wanted = [service for service in services if only in ("", service.name)]
    found = affected(wanted, changed_paths)
    if not services:
        return Plan((), "nothing to build: this revision has no docker/<name>/service.yaml")
    if not found:
        return Plan((), f"nothing to build: {len(changed_paths or ())} changed paths, none of which a service ships")
    builds = tuple(BuildPlan(one.service, _flavour(one.service, flavour), checkout, event, one.reason) for one in found)
    return Plan(builds, "; ".join(f"{build.subject}: {build.reason}" for build in builds))


def _full_ref(checkout: Checkout) -> str:
    """The name a workflow would know; empty for a bare commit, which no branch or tag rule matches."""
    if checkout.ref.startswith("refs/"):
        return checkout.ref
    if checkout.tag:
        return f"{TAGS}{checkout.tag}"
    return f"{HEADS}{checkout.branch}" if checkout.branch else ""


def _flavour(service: Service, asked: str) -> str:
    if asked and asked not in service.build.flavours:
        raise UserError(
            f"{service.name} has no flavour {asked!r}",
            next_step=f"choose one of: {', '.join(service.build.flavours)}",
        )
    return asked or service.build.default


def inputs_key(plan: BuildPlan, inputs: Mapping[str, str]) -> str:
    """The identity of everything that goes into an image; `inputs` are base, locks and model by their own keys.

    The revision is one of them, because the labels name it.
    """
    checkout = plan.checkout
    identity = [plan.service.name, plan.flavour, checkout.revision, plan.git_context.ref, dict(inputs)]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
