"""What goes into an image besides the checkout: base, wheels, model. The only steps that need the package indexes."""

from __future__ import annotations

from prefect import task

from slipway.dependencies.wheelhouse import Wheels
from slipway.image.base import load_recipe
from slipway.image.base_store import BaseStore
from slipway.image.inputs import Base, recipe_folder
from slipway.model import Model
from slipway.plan import BuildPlan
from tasks.outside import ROOT, listener, login, registry_credentials, workshop
from tasks.policies import BASE_IMAGE, INDEX_DOWNLOAD, MODEL_TRAINING


@task(task_run_name="base {build.choice.base}", **BASE_IMAGE.options)
def resolve_base(build: BuildPlan) -> Base:
    """The base image by digest, in the build registry."""
    work = workshop()
    recipe = load_recipe(recipe_folder(build, ROOT) / "base.yaml")
    repository = work.repository(f"slipway/{recipe.name}")
    with work.registry(registry_credentials()) as client:
        digest = BaseStore(client, repository, login(), work.settings.cache, listener()).provide(recipe)
    return Base(recipe.name, repository.at(digest), digest)


@task(task_run_name="wheels of {build.choice.lock}", **INDEX_DOWNLOAD.options)
def fetch_wheels(build: BuildPlan) -> Wheels:
    """Every wheel the flavour's lock pins."""
    lock = build.checkout.path / build.service.folder / build.choice.lock
    wheels = workshop().wheelhouse.fetch(lock, on_line=listener())
    listener()(f"{wheels.count} wheels, {wheels.bytes / 1e6:.0f} MB{', already here' if wheels.cached else ''}")
    return wheels


@task(task_run_name="build tools", **INDEX_DOWNLOAD.options)
def fetch_tools(build: BuildPlan) -> Wheels:
    """What installs the wheels inside the build."""
    return workshop().wheelhouse.fetch(recipe_folder(build, ROOT) / "tools.lock", on_line=listener())


@task(task_run_name="model of {build.service.name}", **MODEL_TRAINING.options)
def prepare_model(build: BuildPlan, version: str) -> Model:
    """The model asked for, or the one that this revision's training makes."""
    work = workshop()
    if version:
        return work.models.find(version)
    folder = build.checkout.path / build.service.folder
    inputs = (
        tuple(f"{build.service.folder}/{glob}" for glob in build.service.model.inputs) if build.service.model else ()
    )
    made_at = work.source.last_change(build.checkout.repository, build.checkout.revision, inputs)
    model = work.models.prepare(build.service, folder, made_at or build.checkout.committed_at, listener())
    listener()(f"model {model.version}{', already here' if model.cached else ''}")
    return model
