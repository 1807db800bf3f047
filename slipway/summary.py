"""What a run tells people at its end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.ledger.releases import Release
from slipway.markdown import table
from slipway.rollout.deploy import Deployed


@dataclass(frozen=True)
class Shipped:
    """One service of one run: what serves where."""

    service: str
    url: str
    digest: str
    revision: str
    tags: tuple[str, ...]
    slot: str

    @classmethod
    def of(cls, release: Release, deployed: Deployed) -> Shipped:
        """From a release and its rollout."""
        tags = tuple(release.facts["tags"])
        return cls(release.service, deployed.url, release.digest, release.revision, tags, deployed.slot)


def summary(release: Release, deployed: Deployed, evidence: Mapping[str, Mapping[str, Any]]) -> str:
    """A release in markdown: identity first, then what it is made of, then what it showed."""
    replaced = f"`{deployed.replaced.short}` (standing by)" if deployed.replaced else "nothing"
    rows = [
        ("serves at", deployed.url),
        ("revision", f"`{release.revision}` {release.facts['subject']} ({release.facts['author']})"),
        ("digest", f"`{release.digest}`"),
        ("tags", ", ".join(f"`{tag}`" for tag in release.facts["tags"]) or "none"),
        ("flavour", release.facts["flavour"]),
        ("model", f"`{release.facts['model']}`"),
        ("base", f"`{release.facts['base']}`"),
        ("lock", release.facts["lock"]),
        ("built by", release.facts["built_by"]),
        ("slot", f"{deployed.slot}, replacing {replaced}"),
        ("smoke", _smoke(evidence.get("smoke"))),
        ("gates", ", ".join(f"{gate} {outcome}" for gate, outcome in release.facts["gates"].items())),
    ]
    return f"# {release.service}\n\n{table(('what', 'value'), rows)}"


def layers_table(layers: Sequence[tuple[str, int]], budget_mb: int) -> str:
    """Where an image's bytes are, against its budget (which is without the model)."""
    rows = [(f"{size / 1e6:.1f}", f"`{_short(step)}`") for step, size in layers]
    total = sum(size for _, size in layers) / 1e6
    title = f"## Layers: {total:.0f} MB unpacked, budget {budget_mb} MB without the model"
    return f"{title}\n\n{table(('MB', 'step'), rows, numbers=('MB',))}"


def _short(step: str) -> str:
    without_hashes = re.sub(r"\b(?:dir|multi|file):[0-9a-f]{64} ", "", step)
    return without_hashes.replace("/bin/sh -c #(nop) ", "").strip()[:100]


def _smoke(found: Mapping[str, Any] | None) -> str:
    if not found:
        return "not run"
    passed = sum(case["passed"] for case in found["cases"])
    degraded = " (degraded: no GPU here)" if found["degraded"] else ""
    return f"{passed} of {len(found['cases'])} cases on {found['device']}{degraded}"
