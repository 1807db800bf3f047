"""The bases that builds start from, in the build registry: each under its recipe's tag, used by digest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from slipway.identity import Digest, Repository
from slipway.image.assemble import single_layer_manifest
from slipway.image.base import BaseRecipe, Login, bootstrap, pull_pinned
from slipway.registry.client import RegistryClient


@dataclass(frozen=True)
class BaseStore:
    """One repository of the build registry; bootstrapped bases are kept in `cache`, too."""

    client: RegistryClient
    repository: Repository
    login: Login
    cache: Path
    on_line: Callable[[str], None]

    def provide(self, recipe: BaseRecipe) -> Digest:
        """The base as found, pulled by its pinned digest, or bootstrapped.

        The first answer stays for all later builds, until the recipe changes or somebody renews it.
        """
        return self.client.digest(self.repository, recipe.tag) or self._make(recipe)

    def renew(self, recipe: BaseRecipe) -> Digest:
        """The same recipe with today's packages, for all later builds. Until the new base is whole, the old one stays.

        A base that is pulled is pinned by digest in its recipe, and so never moves here.
        """
        bases = self.cache / "bases"
        bases.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=bases) as empty_cache:
            digest = replace(self, cache=Path(empty_cache))._make(recipe)
            made = Path(empty_cache) / "bases" / recipe.tag
            if made.is_dir():
                shutil.rmtree(bases / recipe.tag, ignore_errors=True)
                made.rename(bases / recipe.tag)
        return digest

    def _make(self, recipe: BaseRecipe) -> Digest:
        if not pull_pinned(recipe, self.repository.tagged(recipe.tag), self.login, self.on_line):
            made = bootstrap(recipe, self.cache, self.on_line)
            layer = made.layer.read_bytes()
            self.client.put_blob(self.repository, layer)
            self.client.put_blob(self.repository, made.config)
            self.client.put_tag(self.repository, single_layer_manifest(made.config, layer), recipe.tag)
        return self.client.manifest(self.repository, recipe.tag).digest
