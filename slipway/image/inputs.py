"""Everything that decides an image, gathered: the values that the build starts from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slipway.dependencies.wheelhouse import Wheels
from slipway.identity import Digest
from slipway.metadata import BaseImage, Metadata, metadata
from slipway.model import Model
from slipway.plan import BuildPlan, inputs_key


@dataclass(frozen=True)
class Base:
    """A base image: its name, its reference by digest in the build registry, and the digest."""

    name: str
    reference: str
    digest: Digest


@dataclass(frozen=True)
class Inputs:
    """A plan with all it needs."""

    plan: BuildPlan
    base: Base
    wheels: Wheels
    tools: Wheels
    model: Model

    @property
    def key(self) -> str:
        """Equal for equal images."""
        parts = {
            "base": self.base.digest,
            "wheels": self.wheels.key,
            "tools": self.tools.key,
            "model": self.model.key,
        }
        return inputs_key(self.plan, parts)

    @property
    def facts(self) -> dict[str, str]:
        """What a release remembers of its inputs."""
        return {
            "flavour": self.plan.flavour,
            "base": self.base.reference,
            "lock": f"{self.plan.choice.lock} ({self.wheels.key[:12]}, {self.wheels.count} wheels)",
            "model": self.model.version,
            "model_key": self.model.key,
            "model_chosen": self.model.version if self.model.chosen else "",
        }

    def metadata(self) -> Metadata:
        """Tags and labels; the clock in them is the commit's, so that the same revision gives the same names."""
        plan = self.plan
        return metadata(
            plan.service.tags,
            plan.service.flavor_lines(plan.flavour),
            plan.git_context,
            plan.checkout.committed_at.astimezone(UTC),
            label_lines=plan.service.label_lines,
            base=BaseImage(self.base.name, self.base.digest),
        )


@dataclass(frozen=True)
class Image:
    """A built image: where it lies by digest, how it was made, and how long that took."""

    inputs: Inputs
    reference: str
    digest: Digest
    cached: bool
    built_by: str
    built_at: datetime

    @property
    def subject(self) -> str:
        """For people."""
        return f"{self.inputs.plan.service.name}@{self.digest.short}"


def recipe_folder(plan: BuildPlan, root: Path) -> Path:
    """docker/<base> of the revision itself, when it is trusted, else of the pipeline's own checkout."""
    own = plan.checkout.path / "docker" / plan.choice.base
    return own if plan.trusted and own.is_dir() else root / "docker" / plan.choice.base
