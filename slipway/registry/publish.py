"""Promotion: a digest that is in the registry gains tags, by PUT of the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

from slipway.identity import Digest, Repository, Tag
from slipway.registry.client import RegistryClient
from slipway.registry.tags import TagChange, decide_tag, refusal


def give_tags(
    client: RegistryClient, repository: Repository, digest: Digest, names: Sequence[str], protected: Sequence[str]
) -> tuple[Tag, ...]:
    """Give every tag to the digest, or, when a protected one names something else, none. The tags it has now.

    Raises `RegistryRefused`; each written tag is read back and compared.
    """
    manifest = client.manifest(repository, digest)
    tags = tuple(Tag(name) for name in names)
    decisions = [decide_tag(tag, client.digest(repository, tag), digest, protected) for tag in tags]
    refused = refusal(decisions, repository, digest)
    if refused:
        raise refused
    for decision in decisions:
        if decision.change is not TagChange.KEEP:
            client.put_tag(repository, manifest, decision.tag)
    return tags
