"""The same events without a webhook: what `git ls-remote` shows now against what the ledger last saw."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.errors import UserError
from slipway.webhooks.events import ZERO, GitEvent
from slipway.webhooks.judgement import DeliveryState, Verdict
from slipway.webhooks.shapes import Malformed, NotOurs, kind_of, ref

_PEELED = "^{}"


def parse_ls_remote(output: str) -> dict[str, str]:
    """Branches and tags with their commits; an annotated tag stands for the commit behind it.

    Raises `UserError` for lines that `git ls-remote` does not write.
    """
    found: dict[str, str] = {}
    for line in output.splitlines():
        revision, tab, name = line.partition("\t")
        if not tab or len(revision) not in (40, 64):
            raise UserError("this is not what `git ls-remote` writes", next_step="run it with --heads --tags")
        try:
            found[ref(name.removesuffix(_PEELED))] = revision  # the peeled line comes after the tag's own
        except (NotOurs, Malformed):
            continue
    return found


def moves(known: Mapping[str, str], seen: Mapping[str, str], *, host: str, repository: str, url: str) -> list[GitEvent]:
    """One event for each ref that moved, appeared or went; host and repository named as in a webhook's."""
    events = []
    for name in sorted({*known, *seen}):
        before, after = known.get(name, ZERO), seen.get(name, ZERO)
        if before == after:
            continue
        events.append(
            GitEvent(
                kind=kind_of(name, before, after),
                host=host,
                repository=repository,
                url=url,
                ref=name,
                before=before,
                after=after,
                forced=None,
                sender="",
                delivery_id="",
            )
        )
    return events


def verdict_of(events: list[GitEvent]) -> Verdict:
    """The events as `record` takes them; at least one."""
    first = events[0]
    return Verdict(
        DeliveryState.ACCEPTED, 202, "accepted", "seen by polling", first.host, first.repository, events=tuple(events)
    )
