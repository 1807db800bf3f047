"""What every host's parser ends with: the event, from who tells it and what moved."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.webhooks import shapes
from slipway.webhooks.events import EventKind, GitEvent, PullRequest, PullRequestAction
from slipway.webhooks.shapes import Json, kind_of


@dataclass(frozen=True)
class Teller:
    """A delivery's host and id, the repository it speaks of (its full name there, its clone URL), and who acted."""

    host: str
    delivery_id: str
    repository: str
    url: str
    sender: str

    @classmethod
    def of(
        cls, body: Json, host: str, delivery_id: str, repository: str, urls: tuple[str, ...], people: tuple[str, ...]
    ) -> Teller:
        """*urls* and *people* are where this host's body may hold the clone URL and who acted; the first found counts.

        Raises `Malformed` where no URL is found.
        """
        url = shapes.clone_url(shapes.text(body, *urls))
        return cls(host, delivery_id, repository, url, shapes.person(body, *people))

    def moved(
        self, ref: str, before: str, after: str, forced: bool | None = None, kind: EventKind | None = None
    ) -> GitEvent:
        """A branch or tag moved, appeared or went; `kind` where the revisions do not say it."""
        return GitEvent(
            kind=kind or kind_of(ref, before, after),
            host=self.host,
            repository=self.repository,
            url=self.url,
            ref=ref,
            before=before,
            after=after,
            forced=forced,
            sender=self.sender,
            delivery_id=self.delivery_id,
        )

    def requested(
        self, request: PullRequest, ref: str, before: str, after: str, forced: bool | None = None
    ) -> GitEvent:
        """A pull or merge request: `ref` is where its host keeps the head, `after` the head itself."""
        moved = self.moved(ref, before, after, forced, EventKind.PULL_REQUEST)
        return moved.model_copy(update={"pull_request": request})

    def request(self, number: int, action: PullRequestAction, source: str, branches: tuple[str, str]) -> PullRequest:
        """`source` is the repository its code comes from ("" when that is gone), `branches` from where to where."""
        return PullRequest(
            number=number,
            action=action,
            source_branch=branches[0],
            target_branch=branches[1],
            source_repository=source,
            from_fork=source.lower() != self.repository.lower(),
        )
