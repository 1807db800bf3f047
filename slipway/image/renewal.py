"""A base made anew: the same recipe, today's packages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from slipway.identity import Digest, Repository, Tag
from slipway.image.assemble import single_layer_manifest
from slipway.image.base import BaseRecipe, Login, bootstrap, pull_pinned
from slipway.registry.client import RegistryClient


def renew_base(
    recipe: BaseRecipe,
    client: RegistryClient,
    repository: Repository,
    login: Login,
    cache: Path,
    on_line: Callable[[str], None],
) -> Digest:
    """The base as it comes today, under its recipe's tag for all later builds. Until it is whole, the old one stays.

    A base that is pulled is pinned by digest in its recipe, and so never moves here.
    """
    tag = Tag(f"{recipe.name}-{recipe.key}")
    if not pull_pinned(recipe, repository.tagged(tag), login, on_line):
        (cache / "bases").mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".making-", dir=cache / "bases"))
        try:
            made = bootstrap(recipe, fresh, on_line)
            layer = made.layer.read_bytes()
            client.put_blob(repository, layer)
            client.put_blob(repository, made.config)
            client.put_tag(repository, single_layer_manifest(made.config, layer), tag)
            kept = cache / "bases" / made.archive.parent.name
            shutil.rmtree(kept, ignore_errors=True)
            made.archive.parent.rename(kept)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return client.manifest(repository, tag).digest
