"""Images into the build registry: the base that builds start from, and what a build gave, by digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from slipway.identity import Digest, Repository, Tag
from slipway.image.assemble import settled_config, single_layer_manifest, with_config
from slipway.image.base import BaseRecipe, Login, bootstrap, pull_pinned
from slipway.image.builder import Builder, BuildRequest
from slipway.registry.client import RegistryClient


def publish_base(
    recipe: BaseRecipe,
    client: RegistryClient,
    repository: Repository,
    login: Login,
    cache: Path,
    on_line: Callable[[str], None],
) -> Digest:
    """The base is in the registry under its recipe's key: as found, pulled by its pinned digest, or bootstrapped.

    The first answer stays for all later builds, until the recipe changes or the tag is removed (a rebuild does).
    """
    tag = Tag(f"{recipe.name}-{recipe.key}")
    found = client.digest(repository, tag)
    if found:
        return found
    if not pull_pinned(recipe, repository.tagged(tag), login, on_line):
        made = bootstrap(recipe, cache, on_line)
        layer = made.layer.read_bytes()
        client.put_blob(repository, layer)
        client.put_blob(repository, made.config)
        client.put_tag(repository, single_layer_manifest(made.config, layer), tag)
    return client.manifest(repository, tag).digest


def build_and_settle(
    builder: Builder,
    request: BuildRequest,
    client: RegistryClient,
    repository: Repository,
    created: datetime,
    *,
    deadline_s: float,
    on_line: Callable[[str], None],
) -> Digest:
    """Build, push, and replace the builder's config by one that depends on content alone; the result's digest."""
    builder.build(request, deadline_s=deadline_s, on_line=on_line)
    raw = client.manifest(repository, Tag(request.destination.rsplit(":", 1)[1]))
    config = client.blob(repository, Digest(json.loads(raw.body)["config"]["digest"]))
    settled = settled_config(config, created, request.labels)
    client.put_blob(repository, settled)
    manifest = with_config(raw, settled)
    client.put_manifest(repository, manifest)
    if raw.digest != manifest.digest:
        client.delete_manifest(repository, raw.digest)
    return manifest.digest
