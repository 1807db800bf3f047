"""The same revision on today's packages: what is live, its base and locks renewed, and what that moved."""

from __future__ import annotations

from dataclasses import replace

from prefect import task
from prefect.artifacts import create_markdown_artifact

from slipway.dependencies.renewal import renew_lock
from slipway.dependencies.wheelhouse import Wheels
from slipway.engine import ContainerSpec
from slipway.image.base import load_recipe
from slipway.image.base_store import BaseStore
from slipway.image.inputs import Base, Image, recipe_folder
from slipway.ledger.releases import Release
from slipway.packages import LISTING, moved_table, parse_listing, what_moved
from slipway.plan import BuildPlan, plan_builds
from slipway.service.loading import find_services
from slipway.summary import Shipped
from tasks.outside import (
    ROOT,
    container_labels,
    container_name,
    lease,
    listener,
    login,
    registry_credentials,
    say,
    work_folder,
    workshop,
)
from tasks.policies import BASE_IMAGE, DECISION, EVIDENCE, GIT_READ, INDEX_DOWNLOAD

_LISTING_DEADLINE_S = 60.0


@task(task_run_name="what serves in {environment}", **DECISION.options)
def what_serves(environment: str, service: str) -> tuple[Release, ...]:
    """The live releases of an environment; of one service, when it is named."""
    work = workshop()
    live = [found for found in work.slots.everywhere() if found[0] == environment and found[3].live]
    return tuple(work.releases.get(name, state.digest) for _, name, _, state in live if service in ("", name))


@task(task_run_name="plan {live.service} again", **GIT_READ.options)
def plan_again(live: Release) -> BuildPlan:
    """The build that made this release: the same revision, seen as the same event, so that only inputs can differ."""
    facts = live.facts
    checkout = workshop().source.check_out(facts["source"], live.revision, work_folder(), shipped=())
    checkout = replace(checkout, ref=facts["ref"])
    services = find_services(checkout.path)
    found = plan_builds(services, checkout, None, only=live.service, flavour=facts["flavour"], event=facts["event"])
    return replace(found.builds[0], reason="rebuilt on a fresh base with fresh locks")


@task(task_run_name="fresh base {build.choice.base}", **BASE_IMAGE.options)
def fresh_base(build: BuildPlan) -> Base:
    """The base as its recipe gives it today; later builds use it, too."""
    work, recipe = workshop(), load_recipe(recipe_folder(build, ROOT) / "base.yaml")
    repository = work.repository(f"slipway/{recipe.name}")
    with work.registry(registry_credentials()) as client:
        digest = BaseStore(client, repository, login(), work.settings.cache, listener()).renew(recipe)
    return Base(recipe.name, repository.at(digest), digest)


@task(task_run_name="fresh {build.choice.lock}", **INDEX_DOWNLOAD.options)
def fresh_wheels(build: BuildPlan) -> Wheels:
    """The lock renewed in this run's checkout (the repository's own stays for people to commit), and its wheels."""
    lock = build.checkout.path / build.service.folder / build.choice.lock
    listener()(renew_lock(lock, listener()) or f"{lock.name} renewed")
    return workshop().wheelhouse.fetch(lock, on_line=listener())


@task(task_run_name="nothing moved in {live.service}", **EVIDENCE.options)
def nothing_moved(live: Release) -> None:
    """Says that today's packages give the image that serves."""
    text = f"{live.service}: a fresh base and fresh locks give `{live.digest}`, which serves already."
    create_markdown_artifact(text, key=f"rebuild-{live.service}", description="nothing moved")
    say(text)


@task(task_run_name="what moved in {live.service}", **EVIDENCE.options)
def report_moves(live: Release, image: Image, shipped: Shipped) -> Shipped:
    """Which packages have another version than in the image that served before."""
    moves = what_moved(_packages(str(live.facts["image"]), "before"), _packages(image.reference, "after"))
    title = f"# {live.service}: `{live.digest}` became `{image.digest}`\n\n"
    create_markdown_artifact(title + moved_table(moves), key=f"rebuild-{live.service}", description=image.subject)
    say("; ".join(f"{one.name} {one.before or 'new'} -> {one.after or 'gone'}" for one in moves) or "no package moved")
    return shipped


def _packages(image: str, when: str) -> dict[str, str]:
    """What an image holds, by its own shell; empty, said in the log, for an image without one."""
    engine = workshop().engine
    lease(image)
    engine.pull(image)
    name = container_name(f"listing-{when}")
    spec = ContainerSpec(
        image, name, container_labels("listing"), command=["sh", "-c", LISTING], memory_mb=256, pids=64
    )
    finished = engine.run_to_end(spec, _LISTING_DEADLINE_S)
    found = parse_listing(finished.stdout)
    if not found:
        say(f"the packages of {image} cannot be listed: {finished.stderr[-200:]}")
    return found
