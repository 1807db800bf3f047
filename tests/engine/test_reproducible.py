"""The same revision gives the same digest: other folders, empty caches, another umask, another day."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.dependencies.wheelhouse import Wheelhouse
from slipway.identity import Digest, Tag
from slipway.image.base import Login, load_recipe
from slipway.image.base_store import BaseStore
from slipway.image.builder import BuildRequest, find_builder
from slipway.image.context import stage
from slipway.image.inputs import Base, Inputs, recipe_folder
from slipway.image.publish import build_and_settle
from slipway.model import ModelStore
from slipway.plan import plan_builds
from slipway.service.loading import find_services
from slipway.source.git import GitSource
from tests.engine.conftest import ROOT, GitRepository, Harness

pytestmark = pytest.mark.engine


def built_from_nothing(harness: Harness, repository: Path, caches: Path) -> Digest:
    """The digest of HEAD's toy, with mirrors, wheels, model and build layers of its own; they are gone afterwards."""
    work, lines = harness.workshop, list[str]()
    checkout = GitSource(caches / "git").check_out(str(repository), "HEAD", caches / "work")
    (build,) = plan_builds(find_services(checkout.path), checkout, None).builds
    wheelhouse, builder = Wheelhouse(caches / "wheels"), find_builder(caches / "buildah")
    folder, recipes = checkout.path / build.service.folder, recipe_folder(build, ROOT)
    recipe = load_recipe(recipes / "base.yaml")
    base, images = work.repository(f"slipway/{recipe.name}"), work.repository(build.service.image)
    try:
        with work.registry() as client:
            found = BaseStore(client, base, Login(plain=True), work.settings.cache, lines.append).provide(recipe)
            inputs = Inputs(
                plan=build,
                base=Base(recipe.name, base.at(found), found),
                wheels=wheelhouse.fetch(folder / build.choice.lock),
                tools=wheelhouse.fetch(recipes / "tools.lock"),
                model=ModelStore(caches / "models").prepare(build.service, folder, checkout.committed_at, lines.append),
            )
            extras = {"wheels": inputs.wheels.path, "tools": inputs.tools.path, "model": inputs.model.path}
            request = BuildRequest(
                context=stage(folder, extras, caches / "context"),
                dockerfile=build.service.build.dockerfile,
                target=build.choice.target,
                destination=images.tagged(Tag(f"twice-{caches.name}")),
                build_args={"BASE": inputs.base.reference, "DEPENDENCIES": inputs.wheels.key},
                labels=inputs.metadata().labels,
                login=Login(plain=True),
            )
            return build_and_settle(
                builder, request, client, images, checkout.committed_at, deadline_s=300, on_line=lines.append
            )
    finally:
        builder.prune()
        shutil.rmtree(caches)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_two_builds_in_different_folders_without_caches_give_one_digest(
    harness: Harness, toy: GitRepository, tmp_path: Path
) -> None:
    toy.git("clone", "--quiet", str(toy.path), str(tmp_path / "one"))
    with umask(0o077):
        toy.git("clone", "--quiet", str(toy.path), str(tmp_path / "another" / "place"))
    first = built_from_nothing(harness, tmp_path / "one", tmp_path / "first")
    with umask(0o027):
        second = built_from_nothing(harness, tmp_path / "another" / "place", tmp_path / "second")
    assert first == second
    shipped = harness.ship(replace(toy, path=tmp_path / "one"))
    assert shipped.completed, shipped.message
    assert first in harness.cli("trace", harness.url, "--json").stdout


def test_another_revision_gives_another_digest(harness: Harness, toy: GitRepository, tmp_path: Path) -> None:
    first = built_from_nothing(harness, toy.path, tmp_path / "first")
    toy.replace("docker/toy/server.py", '"ok": True', '"ok": "yes"')
    assert built_from_nothing(harness, toy.path, tmp_path / "second") != first
