"""Images into the build registry: the base that builds start from, and what a build gave, by digest."""

from __future__ import annotations

import json
import shutil
import tempfile
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
    """The base is in the registry under its recipe's tag: as found, pulled by its pinned digest, or bootstrapped.

    The first answer stays for all later builds, until the recipe changes or a rebuild renews it.
    """
    found = client.digest(repository, recipe.tag)
    return found or _publish(recipe, client, repository, login, cache, on_line)


def renew_base(
    recipe: BaseRecipe,
    client: RegistryClient,
    repository: Repository,
    login: Login,
    cache: Path,
    on_line: Callable[[str], None],
) -> Digest:
    """The same recipe with today's packages, for all later builds. Until the new base is whole, the old one stays.

    A base that is pulled is pinned by digest in its recipe, and so never moves here.
    """
    bases = cache / "bases"
    bases.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=bases) as empty_cache:
        digest = _publish(recipe, client, repository, login, Path(empty_cache), on_line)
        made = Path(empty_cache) / "bases" / recipe.tag
        if made.is_dir():
            shutil.rmtree(bases / recipe.tag, ignore_errors=True)
            made.rename(bases / recipe.tag)
    return digest


def _publish(
    recipe: BaseRecipe,
    client: RegistryClient,
    repository: Repository,
    login: Login,
    cache: Path,
    on_line: Callable[[str], None],
) -> Digest:
    if not pull_pinned(recipe, repository.tagged(recipe.tag), login, on_line):
        made = bootstrap(recipe, cache, on_line)
        layer = made.layer.read_bytes()
        client.put_blob(repository, layer)
        client.put_blob(repository, made.config)
        client.put_tag(repository, single_layer_manifest(made.config, layer), recipe.tag)
    return client.manifest(repository, recipe.tag).digest


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
