"""From anything that names a release to everything behind it; and what serves where."""

from __future__ import annotations

from typing import Any

import httpx

from slipway.errors import LedgerError, SlipwayError
from slipway.ledger.releases import Release
from slipway.rollout.blue_green import weights
from slipway.rollout.haproxy import Router
from slipway.workshop import Workshop


def traced(workshop: Workshop, what: str) -> dict[str, Any]:
    """A release by digest, revision or the URL it serves at, with its evidence. Raises `LedgerError`."""
    words = _digest_behind(what) if what.startswith(("http://", "https://")) else what.rpartition("@")[2]
    release = workshop.releases.find(words)
    facts = {key: value for key, value in release.facts.items() if key != "service"}
    return {
        "service": release.service,
        "digest": release.digest,
        "revision": release.revision,
        "repository": release.repository,
        "released_at": release.released_at,
        **facts,
        "evidence": workshop.releases.all_evidence(release.digest),
    }


def tracing_page(found: dict[str, Any]) -> str:
    """`traced` for people: what it is, what it is made of, what it showed."""
    evidence = found["evidence"]
    lines = [f"{key:<12}{_shown(value)}" for key, value in found.items() if key not in ("evidence", "labels", "gates")]
    lines += ["labels", *(f"  {key} = {value}" for key, value in found["labels"].items())]
    for case in evidence.get("smoke", {}).get("cases", ()):
        lines.append(f"smoke       {'passed' if case['passed'] else 'FAILED'}  {case['name']}  {case['score']}")
    bench = evidence.get("benchmark")
    if bench:
        lines.append(f"benchmark   on {bench['machine']}: ready in {bench['time_to_ready_s']:.2f} s")
        lines.append(f"            {bench['rss_mb']:.0f} MB resident, image {bench['image_mb']:.0f} MB unpacked")
    for verdict in evidence.get("gates", {}).get("verdicts", ()):
        lines.append(f"gate        {verdict['outcome']}  {verdict['gate']}: {verdict['why']}")
    return "\n".join(lines)


def serving(workshop: Workshop, environment: str = "") -> list[dict[str, Any]]:
    """Each live slot, and whether the router says the same as the ledger."""
    found = []
    for where, name, slot, state in workshop.slots.everywhere():
        if state.live and environment in ("", where):
            release = workshop.releases.get(name, state.digest)
            found.append(
                {
                    "environment": where,
                    "service": name,
                    "url": workshop.deployer(where).url(release.described),
                    "slot": str(slot),
                    "digest": state.digest,
                    "revision": release.revision,
                    "agrees": _agrees(workshop, where, release, weights(slot)),
                }
            )
    return found


def _agrees(workshop: Workshop, environment: str, release: Release, wanted: dict[Any, int]) -> bool:
    try:
        return Router(workshop.harbour.router_folder(environment, release.service)).weights() == wanted
    except SlipwayError:
        return False


def _digest_behind(url: str) -> str:
    try:
        said = httpx.get(f"{url.rstrip('/')}/version", timeout=5).json()
        return str(said["digest"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as failed:
        raise LedgerError(
            f"{url} does not say which digest it runs: {failed}",
            next_step="give the service's own address (`slipway status` lists them), or a digest",
        ) from failed


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
