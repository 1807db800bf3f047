"""The registry: the digest that passed gains its tags. Nothing is rebuilt, nothing is re-serialised."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import task

from slipway.gates import Verdict
from slipway.image.inputs import Image
from slipway.ledger.releases import Release
from slipway.registry.publish import give_tags
from slipway.registry.tags import is_protected
from tasks.outside import registry_credentials, say, workshop
from tasks.policies import REGISTRY_WRITE


@task(task_run_name="release {image.subject}", **REGISTRY_WRITE.options)
def push_release(image: Image, verdicts: tuple[Verdict, ...], *, movable_only: bool = False) -> Release:
    """The manifest read back, its digest compared, and every tag of the service's rules given to it.

    `movable_only` leaves protected tags where they are: a rebuild is no new version.
    """
    work, inputs = workshop(), image.inputs
    service, named = inputs.plan.service, inputs.metadata()
    for repair in named.repairs:
        say(f"tag {repair.original!r} became {repair.tag!r}: {repair.why}")
    wanted = [tag for tag in named.tags if not (movable_only and is_protected(tag, service.protected_tags))]
    with work.registry(registry_credentials()) as client:
        tags = give_tags(client, work.repository(service.image), image.digest, wanted, service.protected_tags)
    say(f"{image.reference} is also {', '.join(tags)}" if tags else "no tag rule made a tag for this revision")
    release = Release(
        service=service.name,
        digest=image.digest,
        revision=inputs.plan.checkout.revision,
        repository=inputs.plan.checkout.origin,
        facts={
            **inputs.facts,
            "image": image.reference,
            "service": service.model_dump(mode="json"),
            "source": inputs.plan.checkout.repository,
            "ref": inputs.plan.git_context.ref,
            "event": inputs.plan.event,
            "tags": list(tags),
            "labels": named.labels,
            "built_by": image.built_by,
            "subject": inputs.plan.checkout.subject,
            "author": inputs.plan.checkout.author_name,
            "gates": {verdict.gate: str(verdict.outcome) for verdict in verdicts},
        },
        released_at=datetime.now(UTC),
    )
    work.releases.record(release)
    return release
