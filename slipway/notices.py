"""What people are told about runs, and when: a failure, what works again, a release. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.hosts.status import StatusState


@dataclass(frozen=True)
class Notice:
    """One message; `subject` is for a title or a mail's subject."""

    subject: str
    body: str


@dataclass(frozen=True)
class RunEnd:
    """How a run ended: `outcome` in words ("shipped ...", "nothing to build ..."), `url` leads to the run."""

    name: str
    completed: bool
    outcome: str
    url: str


def notice_of(end: RunEnd, *, failed_before: bool) -> Notice | None:
    """What to tell about this end, or None when it is nothing new. `failed_before`: so did the run before it."""
    body = f"{end.outcome}\n{end.url}".strip()
    if not end.completed:
        return Notice(f"{end.name} failed", body)
    if failed_before:
        return Notice(f"{end.name} works again", body)
    return Notice(f"{end.name}: released", body) if end.outcome.startswith("shipped") else None


def status_of(state: str, outcome: str) -> tuple[StatusState, str] | None:
    """A commit's status and its words from Prefect's state type and the run's outcome; None: leave it as it is."""
    if state == "RUNNING":
        return StatusState.PENDING, "on its way"
    if state == "COMPLETED":
        if outcome.startswith("another run"):
            return None
        good = not outcome.startswith("superseded")
        return (StatusState.SUCCESS if good else StatusState.FAILURE), outcome or "done"
    if state in ("FAILED", "CRASHED", "CANCELLING", "CANCELLED"):
        return StatusState.FAILURE, outcome or state.lower()
    return None


def first_line(words: str) -> str:
    """The line that says what happened, without the "next:" and the tail that follow."""
    return next((line for line in words.splitlines() if line.strip()), "")


def outcome_in_words(shipped: Sequence[tuple[str, str, str]]) -> str:
    """(service, digest, url) of each release as one line."""
    return "; ".join(f"shipped {service} {digest}: {url}" for service, digest, url in shipped)
