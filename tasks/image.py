"""The image: built without a network, the same digest for the same inputs."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import task

from slipway.dependencies.wheelhouse import Wheels
from slipway.host.registry_garbage import WRITING
from slipway.host.removal import Kind, lease_name
from slipway.identity import Tag
from slipway.image.builder import BuildRequest
from slipway.image.context import stage
from slipway.image.inputs import Base, Image, Inputs
from slipway.image.publish import build_and_settle
from slipway.model import Model
from slipway.plan import BuildPlan
from tasks.outside import lease, listener, login, registry_credentials, run_id, say, work_folder, workshop
from tasks.policies import BUILD_DEADLINE_S, IMAGE_BUILD
from tasks.progress import build_bar


@task(task_run_name="build {build.subject}", **IMAGE_BUILD.options)
def build_image(build: BuildPlan, base: Base, wheels: Wheels, tools: Wheels, model: Model) -> Image:
    """The image of these inputs in the build registry, by digest; built only when they never were."""
    work, inputs = workshop(), Inputs(build, base, wheels, tools, model)
    lease(WRITING, lease_name(Kind.WHEELHOUSE, wheels.key), lease_name(Kind.MODEL, model.key))
    repository = work.repository(build.service.image)
    with work.registry(registry_credentials()) as client:
        known = work.releases.built(inputs.key)
        if known and client.holds(repository, known):
            say(f"these inputs gave {known.short} before")
            return Image(inputs, repository.at(known), known, True, work.builder.name, datetime.now(UTC))
        with build_bar(f"build-{build.service.name}", build.subject, listener()) as on_line:
            digest = build_and_settle(
                work.builder,
                _request(inputs, repository.tagged(Tag(f"candidate-{run_id()}"))),
                client,
                repository,
                build.checkout.committed_at,
                deadline_s=BUILD_DEADLINE_S,
                on_line=on_line,
            )
    now = datetime.now(UTC)
    work.releases.remember_build(inputs.key, digest, now)
    return Image(inputs, repository.at(digest), digest, False, work.builder.name, now)


def _request(inputs: Inputs, destination: str) -> BuildRequest:
    build = inputs.plan
    extras = {"wheels": inputs.wheels.path, "tools": inputs.tools.path, "model": inputs.model.path}
    context = stage(build.checkout.path / build.service.context, extras, work_folder() / f"context-{build.flavour}")
    return BuildRequest(
        context=context,
        dockerfile=build.service.build.dockerfile,
        target=build.choice.target,
        destination=destination,
        build_args={"BASE": inputs.base.reference, "DEPENDENCIES": inputs.wheels.key},
        labels=inputs.metadata().labels,
        login=login(),
    )
